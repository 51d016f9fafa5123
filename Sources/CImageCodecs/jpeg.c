#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "CImageCodecs.h"

/* A file of this many scans is made to cost time, not to show a picture. */
#define MOST_SCANS 500

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  int status;
  char *message;
} failure;

static void fail(j_common_ptr cinfo) {
  failure *error = (failure *)cinfo->err;
  char text[JMSG_LENGTH_MAX];
  cinfo->err->format_message(cinfo, text);
  snprintf(error->message, CODEC_MESSAGE, "%s", text);
  error->status = cinfo->err->msg_code == JERR_OUT_OF_MEMORY ? CODEC_MEMORY : CODEC_CORRUPT;
  longjmp(error->escape, 1);
}

static void silence(j_common_ptr cinfo) { (void)cinfo; }

static void watch_scans(j_common_ptr cinfo) {
  if (!cinfo->is_decompressor) return;
  if (((j_decompress_ptr)cinfo)->input_scan_number > MOST_SCANS) {
    failure *error = (failure *)cinfo->err;
    snprintf(error->message, CODEC_MESSAGE, "more than %d scans", MOST_SCANS);
    error->status = CODEC_CORRUPT;
    longjmp(error->escape, 1);
  }
}

/* The source suspends at the end of the data instead of inventing an end marker: a truncated file is
   then seen as one, where libjpeg's own memory source would fill the rest with grey. */
static void start(j_decompress_ptr cinfo) { (void)cinfo; }
static boolean suspend(j_decompress_ptr cinfo) {
  (void)cinfo;
  return FALSE;
}
static void skip(j_decompress_ptr cinfo, long count) {
  struct jpeg_source_mgr *source = cinfo->src;
  if (count <= 0) return;
  if ((size_t)count > source->bytes_in_buffer) count = (long)source->bytes_in_buffer;
  source->next_input_byte += count;
  source->bytes_in_buffer -= (size_t)count;
}

static int truncated(char *message) {
  snprintf(message, CODEC_MESSAGE, "the data end before the image does");
  return CODEC_TRUNCATED;
}

/* Reads the header of `data` into `cinfo`, whose error manager is set. */
static int open_header(j_decompress_ptr cinfo, struct jpeg_source_mgr *source, const uint8_t *data,
                       size_t size, char *message) {
  source->next_input_byte = data;
  source->bytes_in_buffer = size;
  source->init_source = start;
  source->fill_input_buffer = suspend;
  source->skip_input_data = skip;
  source->resync_to_restart = jpeg_resync_to_restart;
  source->term_source = start;
  cinfo->src = source;
  if (jpeg_read_header(cinfo, TRUE) != JPEG_HEADER_OK) return truncated(message);
  if (cinfo->num_components != 1 && cinfo->num_components != 3 && cinfo->num_components != 4) {
    snprintf(message, CODEC_MESSAGE, "%d components, expected 1, 3 or 4", cinfo->num_components);
    return CODEC_UNSUPPORTED;
  }
  return CODEC_OK;
}

int codec_jpeg_header(const uint8_t *data, size_t size, codec_header *header, char *message) {
  struct jpeg_decompress_struct cinfo;
  struct jpeg_source_mgr source;
  failure error;
  memset(&cinfo, 0, sizeof cinfo);
  cinfo.err = jpeg_std_error(&error.base);
  error.base.error_exit = fail;
  error.base.output_message = silence;
  error.message = message;
  if (setjmp(error.escape)) {
    jpeg_destroy_decompress(&cinfo);
    return error.status;
  }
  jpeg_create_decompress(&cinfo);
  int status = open_header(&cinfo, &source, data, size, message);
  header->width = cinfo.image_width;
  header->height = cinfo.image_height;
  header->channels = 3;
  jpeg_destroy_decompress(&cinfo);
  return status;
}

/* Pillow's arithmetic: x * y / 255, rounded. */
static inline int multiply(int x, int y) {
  int product = x * y + 128;
  return ((product >> 8) + product) >> 8;
}

static void rgb_from_inverted_cmyk(const uint8_t *in, uint8_t *out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++, in += 4, out += 3) {
    int white = in[3]; /* inverted: 255 is no black */
    out[0] = (uint8_t)(white - multiply(255 - in[0], white));
    out[1] = (uint8_t)(white - multiply(255 - in[1], white));
    out[2] = (uint8_t)(white - multiply(255 - in[2], white));
  }
}

int codec_jpeg_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity,
                      char *message) {
  struct jpeg_decompress_struct cinfo;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  failure error;
  memset(&cinfo, 0, sizeof cinfo);
  memset(&progress, 0, sizeof progress);
  cinfo.err = jpeg_std_error(&error.base);
  error.base.error_exit = fail;
  error.base.output_message = silence;
  error.message = message;
  if (setjmp(error.escape)) {
    jpeg_destroy_decompress(&cinfo);
    return error.status;
  }
  jpeg_create_decompress(&cinfo);
  progress.progress_monitor = watch_scans;
  cinfo.progress = &progress;
  int status = open_header(&cinfo, &source, data, size, message);
  size_t row = (size_t)cinfo.image_width * 3;
  if (status == CODEC_OK && capacity < row * cinfo.image_height) {
    snprintf(message, CODEC_MESSAGE, "the caller's buffer is too small");
    status = CODEC_MEMORY;
  }
  if (status == CODEC_OK) {
    cinfo.out_color_space = cinfo.num_components == 4 ? JCS_CMYK : JCS_RGB;
    if (cinfo.num_components == 1) cinfo.out_color_space = JCS_GRAYSCALE;
    if (!jpeg_start_decompress(&cinfo)) status = truncated(message);
  }
  if (status == CODEC_OK) {
    uint32_t width = cinfo.output_width;
    JSAMPARRAY line = cinfo.mem->alloc_sarray((j_common_ptr)&cinfo, JPOOL_IMAGE,
                                              width * (JDIMENSION)cinfo.output_components, 1);
    while (cinfo.output_scanline < cinfo.output_height) {
      uint8_t *out = pixels + row * cinfo.output_scanline;
      if (jpeg_read_scanlines(&cinfo, line, 1) != 1) {
        status = truncated(message);
        break;
      }
      if (cinfo.output_components == 1) {
        for (uint32_t x = 0; x < width; x++) memset(out + 3 * (size_t)x, line[0][x], 3);
      } else if (cinfo.output_components == 4) {
        rgb_from_inverted_cmyk(line[0], out, width);
      } else {
        memcpy(out, line[0], row);
      }
    }
  }
  jpeg_destroy_decompress(&cinfo);
  return status;
}

int codec_jpeg_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int quality,
                      uint8_t **encoded, size_t *size, char *message) {
  struct jpeg_compress_struct cinfo;
  failure error;
  unsigned char *buffer = NULL;
  unsigned long length = 0;
  *encoded = NULL;
  *size = 0;
  memset(&cinfo, 0, sizeof cinfo);
  cinfo.err = jpeg_std_error(&error.base);
  error.base.error_exit = fail;
  error.base.output_message = silence;
  error.message = message;
  if (setjmp(error.escape)) {
    /* libjpeg hands the buffer back only at the end: make it do so before the struct goes. */
    if (cinfo.dest) cinfo.dest->term_destination(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(buffer);
    return error.status;
  }
  jpeg_create_compress(&cinfo);
  jpeg_mem_dest(&cinfo, &buffer, &length);
  cinfo.image_width = width;
  cinfo.image_height = height;
  cinfo.input_components = 3;
  cinfo.in_color_space = JCS_RGB;
  jpeg_set_defaults(&cinfo);
  jpeg_set_quality(&cinfo, quality, TRUE);
  jpeg_start_compress(&cinfo, TRUE);
  while (cinfo.next_scanline < height) {
    JSAMPROW line = (JSAMPROW)(rgb + (size_t)cinfo.next_scanline * width * 3);
    jpeg_write_scanlines(&cinfo, &line, 1);
  }
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  *encoded = buffer;
  *size = length;
  return CODEC_OK;
}

void codec_free(void *encoded) { free(encoded); }
