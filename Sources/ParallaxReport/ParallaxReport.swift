// ParallaxReport
