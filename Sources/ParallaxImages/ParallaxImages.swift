// ParallaxImages
