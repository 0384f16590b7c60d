//! What krafka's tests ask of the crate `testcontainers`: here the container is the broker that runs
//! already, on the port of 127.0.0.1 that `COMPAT_PORT` names.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::time::Duration;

use crate::core::{ContainerPort, ContainerState, ExecCommand, WaitFor};

/// There is no port.
#[derive(Debug)]
pub struct TestcontainersError(String);

impl fmt::Display for TestcontainersError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for TestcontainersError {}

/// How a container would be started.
pub trait Image: Sized {
    fn name(&self) -> &str;
    fn tag(&self) -> &str;
    fn ready_conditions(&self) -> Vec<WaitFor>;
    fn entrypoint(&self) -> Option<&str>;
    fn cmd(&self) -> impl IntoIterator<Item = impl Into<Cow<'_, str>>>;
    fn env_vars(
        &self,
    ) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)>;
    fn expose_ports(&self) -> &[ContainerPort];
    fn exec_after_start(
        &self,
        state: ContainerState,
    ) -> Result<Vec<ExecCommand>, TestcontainersError>;
}

/// Wishes that change nothing here.
pub trait ImageExt: Image {
    fn with_labels<const N: usize>(self, _: [(&str, &str); N]) -> Self {
        self
    }

    fn with_startup_timeout(self, _: Duration) -> Self {
        self
    }
}

impl<I: Image> ImageExt for I {}

/// The broker that runs already.
pub struct ContainerAsync;

impl ContainerAsync {
    pub async fn get_host_port_ipv4(&self, _: ContainerPort) -> Result<u16, TestcontainersError> {
        port()
    }
}

pub mod runners {
    use super::{ContainerAsync, Image, TestcontainersError, port};

    pub trait AsyncRunner: Image {
        fn start(self) -> impl Future<Output = Result<ContainerAsync, TestcontainersError>> + Send;
    }

    impl<I: Image + Send> AsyncRunner for I {
        async fn start(self) -> Result<ContainerAsync, TestcontainersError> {
            port().map(|_| ContainerAsync)
        }
    }
}

pub mod core {
    use super::{TestcontainersError, port};

    #[derive(Clone, Copy, Debug)]
    pub enum ContainerPort {
        Tcp(u16),
    }

    impl ContainerPort {
        pub fn as_u16(self) -> u16 {
            let Self::Tcp(port) = self;
            port
        }
    }

    pub struct ContainerState;

    impl ContainerState {
        pub fn host_port_ipv4(&self, _: ContainerPort) -> Result<u16, TestcontainersError> {
            port()
        }
    }

    pub struct ExecCommand;

    impl ExecCommand {
        pub fn new(_: Vec<String>) -> Self {
            Self
        }

        pub fn with_container_ready_conditions(self, _: Vec<WaitFor>) -> Self {
            self
        }
    }

    pub struct WaitFor;

    impl WaitFor {
        pub fn message_on_stdout(_: &str) -> Self {
            Self
        }
    }
}

fn port() -> Result<u16, TestcontainersError> {
    let text = env::var("COMPAT_PORT").unwrap_or_default();
    text.parse()
        .map_err(|_| TestcontainersError(format!("COMPAT_PORT is not a port: {text:?}")))
}
