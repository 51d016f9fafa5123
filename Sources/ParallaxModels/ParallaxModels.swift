// ParallaxModels
