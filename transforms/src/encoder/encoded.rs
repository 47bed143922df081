/// An encoded table, compact: the places of the numbers, and for every softmax span the unit that
/// is 1. A dense row exists only where a batch needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Number of rows.
    pub rows: usize,
    /// Units of a dense row.
    pub width: usize,
    /// The unit of each place.
    pub place_units: Vec<u32>,
    /// Row-major places, as many per row as `place_units`.
    pub places: Vec<f32>,
    /// Row-major units that are 1, as many per row as there are softmax spans.
    pub hot: Vec<u32>,
    /// Softmax spans.
    pub hot_per_row: usize,
}

impl Encoded {
    /// Writes one dense row.
    pub fn write_row(&self, row: usize, out: &mut [f32]) {
        out.fill(0.0);
        let places = self.place_units.len();
        for (&unit, &place) in
            self.place_units.iter().zip(&self.places[row * places..(row + 1) * places])
        {
            out[unit as usize] = place;
        }
        for &unit in self.hot_units(row) {
            out[unit as usize] = 1.0;
        }
    }

    /// The units of a row that are 1.
    pub fn hot_units(&self, row: usize) -> &[u32] {
        &self.hot[row * self.hot_per_row..(row + 1) * self.hot_per_row]
    }

    /// The places of a row.
    pub fn places(&self, row: usize) -> &[f32] {
        let places = self.place_units.len();
        &self.places[row * places..(row + 1) * places]
    }
}
