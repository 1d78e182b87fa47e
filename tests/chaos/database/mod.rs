//! The database of a run, and what can be done to it.

mod cluster;
mod proxy;

use std::path::Path;

use sea_orm::{ConnectOptions, DatabaseConnection};

pub use self::cluster::Cluster;
pub use self::proxy::{Proxy, Traffic};

/// How long anything may take that a run itself asks of its database.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// The database of a run.
#[derive(Debug)]
pub enum Database {
    /// A file, by its address.
    Sqlite(String),
    /// A cluster, and what lies before it.
    Postgres(Network),
}

/// A cluster, which the servers reach by one way and the run itself by another one.
#[derive(Debug)]
pub struct Network {
    pub cluster: Cluster,
    /// What lies between the servers and the cluster.
    pub proxy: Proxy,
    /// Where nothing is ever slow or silent.
    aside: Proxy,
}

impl Database {
    /// A new file in a directory.
    pub fn sqlite(directory: &Path) -> Self {
        Self::Sqlite(format!("sqlite://{}?mode=rwc", directory.join("chaos.db").display()))
    }

    /// A new database in the cluster that `TEST_POSTGRES_URL` leads to.
    ///
    /// # Errors
    /// A sentence that tells what is missing.
    pub async fn postgres() -> Result<Self, String> {
        let cluster = Cluster::find().await?;
        let [proxy, aside] = [Proxy::start(cluster.port()).await?, Proxy::start(cluster.port()).await?];
        Ok(Self::Postgres(Network { cluster, proxy, aside }))
    }

    /// Where the servers find it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(url) => url.clone(),
            Self::Postgres(network) => network.cluster.url_by(network.proxy.port()),
        }
    }

    /// A pool of connections past all rules of the server, and past what is done to the network.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn connect(&self) -> Result<DatabaseConnection, String> {
        match self {
            Self::Sqlite(url) => connect(url).await,
            Self::Postgres(network) => connect(&network.cluster.url_by(network.aside.port())).await,
        }
    }
}

impl Network {
    /// Leads everybody to where the cluster's primary now is.
    pub fn follow_primary(&self) {
        self.proxy.set_target(self.cluster.port());
        self.aside.set_target(self.cluster.port());
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, String> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(4).acquire_timeout(PATIENCE).connect_timeout(PATIENCE).sqlx_logging(false);
    // Without the two limits, as in the server.
    options.idle_timeout(None).max_lifetime(None);
    sea_orm::Database::connect(options).await.map_err(|error| error.to_string())
}
