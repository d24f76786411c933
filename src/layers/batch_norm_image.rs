//! [`BatchNorm`] of images: zero mean and unit variance for every channel over the pixels of all samples.

use super::batch_norm::{BatchNorm, BatchNormCache, MOMENTUM, is_normalized_by_batch, line, reciprocal};
use crate::activation::NoActivation;
use crate::kernel::{map_first, sum};
use crate::model::{Batch, Image, Layer, Model, Op, Pass};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;
use nalgebra::SVector;

type Images<T, const C: usize, const H: usize, const W: usize, const B: usize> = Batch<Image<C, H, W>, T, B>;

/// Sets each pixel of a channel to the value of `step` of the same pixels of others.
#[inline(always)]
fn each_pixel<S: Simd, T: Real, const B: usize, const READ: usize>(
    pass: Pass<S, B>,
    read: [&[[T; B]]; READ],
    result: &mut [[T; B]],
    step: impl Fn([Lanes<S, T>; READ]) -> Lanes<S, T>,
) {
    for (pixel, result) in result.iter_mut().enumerate() {
        let read = read.map(
            #[inline(always)]
            |values| values.get(pixel).map_or(&[][..], |samples| samples.as_slice()),
        );
        map_first(
            pass.simd(),
            pass.len(),
            [result.as_mut_slice()],
            read,
            #[inline(always)]
            |[_], read| [step(read)],
        );
    }
}

/// The sums of the values that `step` returns for the pixels of a channel: of each sample by pixel, then of all samples.
#[inline(always)]
fn sums<S: Simd, T: Real, const B: usize, const READ: usize, const SUMS: usize>(
    pass: Pass<S, B>,
    read: [&[[T; B]]; READ],
    step: impl Fn([Lanes<S, T>; READ]) -> [Lanes<S, T>; SUMS],
) -> [T; SUMS] {
    let mut totals = [[T::ZERO; B]; SUMS];
    let pixels = read.first().map_or(0, |first| first.len());
    for pixel in 0..pixels {
        let read = read.map(
            #[inline(always)]
            |values| values.get(pixel).map_or(&[][..], |samples| samples.as_slice()),
        );
        map_first(
            pass.simd(),
            pass.len(),
            totals.each_mut().map(
                #[inline(always)]
                |total| total.as_mut_slice(),
            ),
            read,
            #[inline(always)]
            |totals, read| {
                let (mut result, terms) = (totals, step(read));
                for (result, term) in result.iter_mut().zip(terms) {
                    *result += term;
                }
                result
            },
        );
    }
    totals.map(
        #[inline(always)]
        |total| sum(pass.simd(), total.get(..pass.len()).unwrap_or(&[])),
    )
}

impl<const N: usize, T: Real> BatchNorm<N, T> {
    #[inline(always)]
    fn predict_images<S: Simd, const H: usize, const W: usize, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Images<T, N, H, W, B>,
        y: &mut Images<T, N, H, W, B>,
    ) {
        for (c, (x, y)) in x.iter().zip(y).enumerate() {
            let [scale, shift] = line(self.weight[c], self.bias[c], self.running_mean[c], self.running_variance[c]);
            let (scale, shift) = (lanes::<S, T>(pass.simd(), scale), lanes::<S, T>(pass.simd(), shift));
            each_pixel(
                pass,
                [x.as_flattened()],
                y.as_flattened_mut(),
                #[inline(always)]
                |[x]| mul_add(x, scale, shift),
            );
        }
    }
}

impl<const N: usize, const H: usize, const W: usize, T: Real> Model<Image<N, H, W>, T> for BatchNorm<N, T> {
    type Out = Image<N, H, W>;
    /// In prediction, one for each pixel.
    const MACS: Option<usize> = Some(N * H * W);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Images<T, N, H, W, B>,
        y: &mut Images<T, N, H, W, B>,
    ) {
        self.predict_images(pass, x, y);
    }
}

impl<const N: usize, const H: usize, const W: usize, T: Real> Layer<Image<N, H, W>, T> for BatchNorm<N, T> {
    type Cache<const B: usize> = BatchNormCache<T, N>;
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Images<T, N, H, W, B>,
        y: &mut Images<T, N, H, W, B>,
        BatchNormCache { mean: means, variance: variances, reciprocal: reciprocals }: &mut BatchNormCache<T, N>,
    ) {
        if !is_normalized_by_batch(pass) {
            *means = self.running_mean;
            reciprocals.copy_from(&self.running_variance.map(reciprocal));
            return self.predict_images(pass, x, y);
        }
        let (simd, scale) = (pass.simd(), T::ONE / T::from_count(pass.len() * H * W));
        for (c, (x, y)) in x.iter().zip(y).enumerate() {
            let x = x.as_flattened();
            // Distances from a pixel, as for features from the first sample.
            let first = x.first().and_then(|samples| samples.first()).map_or(T::ZERO, |&pixel| pixel);
            let origin = lanes::<S, T>(simd, first);
            let [total] = sums(
                pass,
                [x],
                #[inline(always)]
                |[x]| [x - origin],
            );
            means[c] = first + total * scale;
            let mean = lanes::<S, T>(simd, means[c]);
            let [total] = sums(
                pass,
                [x],
                #[inline(always)]
                |[x]| [(x - mean) * (x - mean)],
            );
            variances[c] = total * scale;
            // As for features: NaN where a square overflows.
            reciprocals[c] = reciprocal(variances[c]) + (variances[c] * T::of(4.0)) * T::ZERO;
            let (reciprocal, weight, bias) = (
                lanes::<S, T>(simd, reciprocals[c]),
                lanes::<S, T>(simd, self.weight[c]),
                lanes::<S, T>(simd, self.bias[c]),
            );
            each_pixel(
                pass,
                [x],
                y.as_flattened_mut(),
                #[inline(always)]
                |[x]| mul_add((x - mean) * reciprocal, weight, bias),
            );
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&Images<T, N, H, W, B>, &Images<T, N, H, W, B>),
        BatchNormCache { mean: means, variance: variances, reciprocal: reciprocals }: &mut BatchNormCache<T, N>,
        dy: &mut Images<T, N, H, W, B>,
        gradient: &mut Self,
        mut dx: Option<&mut Images<T, N, H, W, B>>,
    ) {
        if pass.begins_batch() {
            (gradient.running_mean, gradient.running_variance, gradient.num_batches_tracked) =
                (SVector::from_element(T::ZERO), SVector::from_element(T::ZERO), 0);
        }
        let (simd, count) = (pass.simd(), T::from_count(pass.len() * H * W));
        // In evaluation, and for a lone sample, the running statistics were used, which do not depend on the samples.
        let together = is_normalized_by_batch(pass);
        let unbiased = count / (count - T::ONE);
        let (keep, take) = (T::of(1.0 - MOMENTUM), T::of(MOMENTUM));
        for (c, (x, dy)) in x.iter().zip(dy).enumerate() {
            let (x, dy) = (x.as_flattened(), dy.as_flattened());
            let (mean, reciprocal) = (lanes::<S, T>(simd, means[c]), lanes::<S, T>(simd, reciprocals[c]));
            let [weight_gradient, bias_gradient] = sums(
                pass,
                [x, dy],
                #[inline(always)]
                |[x, dy]| [dy * ((x - mean) * reciprocal), dy],
            );
            gradient.weight[c] += weight_gradient;
            gradient.bias[c] += bias_gradient;
            if together {
                gradient.running_mean[c] = gradient.running_mean[c] * keep + means[c] * take;
                gradient.running_variance[c] = gradient.running_variance[c] * keep + variances[c] * unbiased * take;
            }
            let Some(dx) = dx.as_deref_mut().and_then(|dx| dx.get_mut(c)) else { continue };
            let factor = if together { T::ONE / count } else { T::ZERO };
            let (mean_product, mean_gradient) =
                (lanes::<S, T>(simd, weight_gradient * factor), lanes::<S, T>(simd, bias_gradient * factor));
            let scale = reciprocal * lanes::<S, T>(simd, self.weight[c]);
            each_pixel(
                pass,
                [x, dy],
                dx.as_flattened_mut(),
                #[inline(always)]
                |[x, dy]| (dy - mean_gradient - (x - mean) * reciprocal * mean_product) * scale,
            );
        }
        if together {
            gradient.num_batches_tracked += 1;
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(self.operation(H * W));
    }
}
