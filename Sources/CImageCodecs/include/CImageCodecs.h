/* A plain C face over libjpeg, libpng and libwebp: memory in, 8-bit RGB or RGBA out.

   Every function returns a `codec_status`; on failure `message` (CODEC_MESSAGE bytes, never null)
   holds one line. The caller reads the header first, decides whether it wants that many pixels, and
   hands in the memory for them, so that a hostile header allocates nothing. Functions keep no state
   and may be called from any thread. */

#ifndef C_IMAGE_CODECS_H
#define C_IMAGE_CODECS_H

#include <stddef.h>
#include <stdint.h>

#define CODEC_MESSAGE 200

typedef enum {
  CODEC_OK = 0,
  CODEC_TRUNCATED = 1,   /* the data end before the image does */
  CODEC_CORRUPT = 2,     /* the data contradict the format */
  CODEC_UNSUPPORTED = 3, /* a valid file of a kind that is not read (animation, 2 components, ...) */
  CODEC_MEMORY = 4       /* no memory, or the caller's buffer is too small */
} codec_status;

typedef struct {
  uint32_t width;
  uint32_t height;
  uint32_t channels; /* 3: RGB, 4: RGBA with straight alpha */
} codec_header;

/* `pixels` takes height * width * channels bytes, rows from the top, no padding.
   JPEG: islow DCT and fancy upsampling; CMYK and YCCK (taken as Adobe's inverted) become RGB.
   PNG: palette, grey and tRNS are expanded; of 16 bits the high byte is taken. */
int codec_jpeg_header(const uint8_t *data, size_t size, codec_header *header, char *message);
int codec_jpeg_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                      char *message);
int codec_png_header(const uint8_t *data, size_t size, codec_header *header, char *message);
int codec_png_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                     char *message);
int codec_webp_header(const uint8_t *data, size_t size, codec_header *header, char *message);
int codec_webp_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                      char *message);

/* `*encoded` is the caller's to free with codec_free; on failure it is null. */
int codec_jpeg_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int quality,
                      uint8_t **encoded, size_t *size, char *message);
int codec_png_encode(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **encoded,
                     size_t *size, char *message);
void codec_free(void *encoded);

#endif
