//! Bearer token → [`Viewer`].
