#include <stdio.h>

#include <webp/decode.h>

#include "CImageCodecs.h"

static int explain(VP8StatusCode code, char *message) {
  switch (code) {
    case VP8_STATUS_OK:
      return CODEC_OK;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      snprintf(message, CODEC_MESSAGE, "the data end before the image does");
      return CODEC_TRUNCATED;
    case VP8_STATUS_OUT_OF_MEMORY:
      snprintf(message, CODEC_MESSAGE, "no memory");
      return CODEC_MEMORY;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      snprintf(message, CODEC_MESSAGE, "a feature that libwebp does not read");
      return CODEC_UNSUPPORTED;
    default:
      snprintf(message, CODEC_MESSAGE, "the bitstream is damaged");
      return CODEC_CORRUPT;
  }
}

int codec_webp_header(const uint8_t *data, size_t size, codec_header *header, char *message) {
  WebPBitstreamFeatures features;
  int status = explain(WebPGetFeatures(data, size, &features), message);
  if (status != CODEC_OK) return status;
  if (features.has_animation) {
    snprintf(message, CODEC_MESSAGE, "an animation, expected a still image");
    return CODEC_UNSUPPORTED;
  }
  if (features.width <= 0 || features.height <= 0) return explain(VP8_STATUS_BITSTREAM_ERROR, message);
  header->width = (uint32_t)features.width;
  header->height = (uint32_t)features.height;
  header->channels = features.has_alpha ? 4 : 3;
  return CODEC_OK;
}

int codec_webp_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                      char *message) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return explain(VP8_STATUS_INVALID_PARAM, message);
  int status = explain(WebPGetFeatures(data, size, &config.input), message);
  if (status != CODEC_OK) return status;
  int alpha = config.input.has_alpha;
  size_t row = (size_t)config.input.width * (alpha ? 4 : 3);
  if (capacity < row * (size_t)config.input.height) {
    snprintf(message, CODEC_MESSAGE, "the caller's buffer is too small");
    return CODEC_MEMORY;
  }
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)row;
  config.output.u.RGBA.size = capacity;
  status = explain(WebPDecode(data, size, &config), message);
  WebPFreeDecBuffer(&config.output);
  return status;
}
