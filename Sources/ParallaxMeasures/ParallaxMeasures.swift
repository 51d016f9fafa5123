// ParallaxMeasures
