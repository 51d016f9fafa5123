// ParallaxAnalyses
