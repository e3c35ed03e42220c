//! The shape of an image.

/// Channels, height and width of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Colours: 1 is grey, 3 is red, green, blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// A shape of `channels` × `height` × `width`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }

    /// Bytes of one image: channels × height × width.
    pub const fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The most bytes of an image that anything is made for: 16,384 × 16,384 pixels of one channel.
    pub const MOST: usize = 1 << 28;

    /// As [`len`](Self::len); nothing where that is more than [`MOST`](Self::MOST).
    pub const fn checked_len(&self) -> Option<usize> {
        let Some(rows) = self.channels.checked_mul(self.height) else {
            return None;
        };
        match rows.checked_mul(self.width) {
            Some(bytes) if bytes <= Self::MOST => Some(bytes),
            _ => None,
        }
    }

    /// Whether an image of this shape has no pixels.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<[usize; 3]> for ImageShape {
    /// From channels, height and width.
    fn from([channels, height, width]: [usize; 3]) -> Self {
        Self::new(channels, height, width)
    }
}

impl From<ImageShape> for serde_json::Value {
    /// `[3, 32, 32]`: the form that options have.
    fn from(shape: ImageShape) -> Self {
        Self::from(vec![shape.channels, shape.height, shape.width])
    }
}

impl std::fmt::Display for ImageShape {
    /// `3x32x32`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}
