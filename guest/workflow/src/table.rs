//! A small table by name, in alphabetical order. A map from the standard library would be 4 kB of the component for each
//! type of value.

/// A table by name, in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<V> {
    rows: Vec<(String, V)>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<V: Default> Table<V> {
    /// The value of a name; a new one when there is none.
    pub fn entry(&mut self, name: &str) -> &mut V {
        let at = self.find(name).unwrap_or_else(|at| {
            self.rows.insert(at, (name.to_owned(), V::default()));
            at
        });
        &mut self.rows[at].1
    }
}

impl<V> Table<V> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(name).ok().map(|at| &self.rows[at].1)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &V)> {
        self.rows.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| row.0.as_str().cmp(name))
    }
}

/// A table as an object instead of a list of rows: for what people write.
pub mod as_object {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::Table;

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<V: Serialize, S: Serializer>(table: &Table<V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(table.rows())
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no object, or a value is no `V`.
    pub fn deserialize<'de, V, D>(deserializer: D) -> Result<Table<V>, D::Error>
    where
        V: Deserialize<'de> + Default,
        D: Deserializer<'de>,
    {
        deserializer.deserialize_map(Rows(PhantomData))
    }

    struct Rows<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de> + Default> Visitor<'de> for Rows<V> {
        type Value = Table<V>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<V>, A::Error> {
            let mut table = Table::default();
            while let Some((name, value)) = map.next_entry::<String, V>()? {
                *table.entry(&name) = value;
            }
            Ok(table)
        }
    }
}
