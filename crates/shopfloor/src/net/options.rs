//! Options of sockets that are passed through.

/// A getter and a setter for each option, of a socket with a method `options` that gives a socket of socket2.
macro_rules! socket_options {
    ($socket:ident: $($(#[$cfg:meta])* $what:literal $get:ident = $via:ident, $set:ident = $set_via:ident: $value:ty;)*) => {
        impl $socket {$(
            #[doc = concat!("Gets ", $what, ".")]
            ///
            /// # Errors
            /// What the system says.
            $(#[$cfg])*
            pub fn $get(&self) -> std::io::Result<$value> {
                self.options().$via()
            }

            #[doc = concat!("Sets ", $what, ".")]
            ///
            /// # Errors
            /// What the system says.
            $(#[$cfg])*
            pub fn $set(&self, value: $value) -> std::io::Result<()> {
                self.options().$set_via(value)
            }
        )*}
    };
}

pub(crate) use socket_options;
