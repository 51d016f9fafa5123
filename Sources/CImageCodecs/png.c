#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "CImageCodecs.h"

typedef struct {
  const uint8_t *data;
  size_t left;
  int status;
  char *message;
} reader;

static void fail(png_structp png, png_const_charp text) {
  reader *state = (reader *)png_get_error_ptr(png);
  if (state->status == CODEC_OK) {
    state->status = CODEC_CORRUPT;
    snprintf(state->message, CODEC_MESSAGE, "%s", text);
  }
  png_longjmp(png, 1);
}

static void silence(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void take(png_structp png, png_bytep out, size_t count) {
  reader *state = (reader *)png_get_io_ptr(png);
  if (count > state->left) {
    state->status = CODEC_TRUNCATED;
    snprintf(state->message, CODEC_MESSAGE, "the data end before the image does");
    png_error(png, "truncated");
  }
  memcpy(out, state->data, count);
  state->data += count;
  state->left -= count;
}

/* Chunks that change no pixel here are not even parsed: less to get wrong, nothing to inflate. */
static const png_byte ignored[] =
    "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0"
    "tIME\0zTXt";

/* Reads up to the first IDAT and asks for 8-bit RGB or RGBA; may longjmp. */
static void open_header(png_structp png, png_infop info, reader *state, codec_header *header) {
  png_set_read_fn(png, state, take);
  png_set_user_limits(png, 1 << 24, 1 << 24);
#ifdef PNG_HANDLE_AS_UNKNOWN_SUPPORTED
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored, (int)(sizeof ignored / 5));
#endif
  png_read_info(png, info);
  header->width = png_get_image_width(png, info);
  header->height = png_get_image_height(png, info);
  int alpha = (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) != 0 ||
              png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  header->channels = alpha ? 4 : 3;
}

int codec_png_header(const uint8_t *data, size_t size, codec_header *header, char *message) {
  reader state = {data, size, CODEC_OK, message};
  png_infop info = NULL;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, fail, silence);
  if (png) info = png_create_info_struct(png);
  if (!png || !info) {
    png_destroy_read_struct(&png, NULL, NULL);
    snprintf(message, CODEC_MESSAGE, "no memory");
    return CODEC_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return state.status;
  }
  open_header(png, info, &state, header);
  png_destroy_read_struct(&png, &info, NULL);
  return CODEC_OK;
}

static int refuse_memory(png_structp png, png_infop info, char *message, const char *text) {
  png_destroy_read_struct(&png, &info, NULL);
  snprintf(message, CODEC_MESSAGE, "%s", text);
  return CODEC_MEMORY;
}

int codec_png_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                     char *message) {
  reader state = {data, size, CODEC_OK, message};
  codec_header header = {0, 0, 0};
  png_infop info = NULL;
  png_bytep *volatile rows = NULL;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, fail, silence);
  if (png) info = png_create_info_struct(png);
  if (!png || !info) return refuse_memory(png, info, message, "no memory");
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    return state.status;
  }
  open_header(png, info, &state, &header);
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t row = (size_t)header.width * header.channels;
  if (png_get_rowbytes(png, info) != row || capacity < row * header.height) {
    return refuse_memory(png, info, message, "the caller's buffer is too small");
  }
  rows = malloc(header.height * sizeof(png_bytep));
  if (!rows) return refuse_memory(png, info, message, "no memory");
  for (uint32_t y = 0; y < header.height; y++) rows[y] = pixels + row * y;
  png_read_image(png, rows);
  png_destroy_read_struct(&png, &info, NULL);
  free(rows);
  return CODEC_OK;
}

typedef struct {
  uint8_t *data;
  size_t size;
  size_t capacity;
  char *message;
} writer;

static void fail_writing(png_structp png, png_const_charp text) {
  writer *state = (writer *)png_get_error_ptr(png);
  snprintf(state->message, CODEC_MESSAGE, "%s", text);
  png_longjmp(png, 1);
}

static void put(png_structp png, png_bytep bytes, size_t count) {
  writer *state = (writer *)png_get_io_ptr(png);
  if (state->capacity - state->size < count) {
    size_t capacity = 2 * state->capacity + count + 4096;
    uint8_t *grown = realloc(state->data, capacity);
    if (!grown) png_error(png, "no memory");
    state->data = grown;
    state->capacity = capacity;
  }
  memcpy(state->data + state->size, bytes, count);
  state->size += count;
}

static void flush(png_structp png) { (void)png; }

int codec_png_encode(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **encoded,
                     size_t *size, char *message) {
  writer state = {NULL, 0, 0, message};
  png_infop info = NULL;
  *encoded = NULL;
  *size = 0;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, fail_writing, silence);
  if (png) info = png_create_info_struct(png);
  if (!png || !info) {
    png_destroy_write_struct(&png, NULL);
    snprintf(message, CODEC_MESSAGE, "no memory");
    return CODEC_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(state.data);
    return CODEC_CORRUPT;
  }
  png_set_write_fn(png, &state, put, flush);
  png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; y++) png_write_row(png, rgb + (size_t)y * width * 3);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  *encoded = state.data;
  *size = state.size;
  return CODEC_OK;
}
