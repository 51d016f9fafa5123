// ParallaxResults
