//! CTGAN: conditional tabular GAN (Xu et al. 2019).
