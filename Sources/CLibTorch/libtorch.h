/* libtorch has no C header: this module only carries the names of the libraries to link.
   The plain C interface that Parallax calls stands in CTorch. */
