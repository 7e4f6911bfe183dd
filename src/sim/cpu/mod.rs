//! The reference kernels, one a file, on plain slices.
