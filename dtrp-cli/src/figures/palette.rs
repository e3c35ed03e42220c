//! Colours: told apart also by who cannot tell red from green, each with another for dark pages.

use dtrp_core::schedule::Op;
use plotters::style::RGBColor;

/// A colour on a light ground, and on a dark one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    light: u32,
    dark: u32,
}

impl Colour {
    const fn new(light: u32, dark: u32) -> Self {
        Self { light, dark }
    }

    /// As figures are drawn, which is for a light ground.
    pub(super) fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// `#0072B2`, as it stands in a figure.
    pub(crate) fn css(self) -> String {
        format!("#{:06X}", self.light)
    }

    /// The one for a dark ground.
    pub(crate) fn dark(self) -> String {
        format!("#{:06X}", self.dark)
    }
}

/// Of text.
pub(crate) const INK: Colour = Colour::new(0x1f_29_33, 0xd5_dc_e4);
/// Of axes.
pub(crate) const AXIS: Colour = Colour::new(0x8a_94_9e, 0x6b_76_82);
/// Of the grid.
pub(crate) const GRID: Colour = Colour::new(0xe3_e7_eb, 0x2e_36_3f);
/// Of the ground of rows.
pub(crate) const LANE: Colour = Colour::new(0xf4_f6_f8, 0x20_26_2d);

/// For series: the colours of Okabe and Ito (2008) in an order in which neighbours differ in lightness too; yellow, which is
/// not seen on white, is last.
const SERIES: [Colour; 8] = [
    Colour::new(0x00_72_b2, 0x4b_a8_e0),
    Colour::new(0xd5_5e_00, 0xf2_80_3a),
    Colour::new(0x00_9e_73, 0x2c_c4_97),
    Colour::new(0xcc_79_a7, 0xe0_97_c0),
    Colour::new(0xe6_9f_00, 0xf0_b4_3c),
    Colour::new(0x56_b4_e9, 0x8c_cd_f2),
    Colour::new(0x44_44_4c, 0xb4_b8_c0),
    Colour::new(0xb8_a9_00, 0xf0_e4_42),
];

/// The colour of series `index`, from 0. After eight they come again, greyer.
pub(crate) fn series(index: usize) -> Colour {
    let Colour { light, dark } = SERIES[index % SERIES.len()];
    let round = u32::try_from(index / SERIES.len()).unwrap_or(u32::MAX).min(12);
    let greyer = |colour: u32| {
        let [_, red, green, blue] = colour.to_be_bytes();
        let mix = |part: u8| (u32::from(part) * (16 - round) + 0x99 * round) / 16;
        mix(red) << 16 | mix(green) << 8 | mix(blue)
    };
    Colour::new(greyer(light), greyer(dark))
}

/// The kinds of computation, with their colours: lightness falls from the forward to the update, so that a grey print keeps
/// them apart.
pub(crate) const OPS: [(Op, &str, Colour); 5] = [
    (Op::Forward, "F forward", Colour::new(0xcb_df_f3, 0xa9_c8_e8)),
    (
        Op::ForwardGraph,
        "G forward with graph",
        Colour::new(0x8f_bd_e6, 0x64_a0_d6),
    ),
    (Op::Recompute, "R recompute", Colour::new(0xc9_82_2f, 0xd8_93_42)),
    (Op::Backward, "B backward", Colour::new(0x35_6b_5b, 0x4a_93_7d)),
    (Op::Update, "U update", Colour::new(0x33_33_40, 0xe6_e6_ee)),
];

/// Every colour that a figure can have, with `series` of series, for the style sheet of a dark page.
pub(crate) fn all(count: usize) -> Vec<Colour> {
    let fixed = [INK, AXIS, GRID, LANE].into_iter();
    let ops = OPS.iter().map(|(_, _, colour)| *colour);
    fixed.chain(ops).chain((0..count.max(8)).map(series)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_all_different() {
        let all = all(40);
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.css() != one.css()), "{index}");
        }
        assert_eq!(
            (series(0).css(), series(0).dark()),
            ("#0072B2".to_owned(), "#4BA8E0".to_owned())
        );
    }
}
