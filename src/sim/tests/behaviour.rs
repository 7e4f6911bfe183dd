//! Each kind of behaviour, shown by a small scene.
