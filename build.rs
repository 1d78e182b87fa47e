//! Embeds the GraphiQL page that `make web` bundles, if it has been bundled.
//!
//! Nothing is downloaded or bundled here: a build needs neither Node nor a network.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Where `make web` writes; always there, as it holds a file that is in git.
const DIST: &str = "web/graphiql/dist";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(DIST);
    let page = dist.join("index.html");
    // For the tests, as some of the page need it.
    println!("cargo::rustc-check-cfg=cfg(graphiql_bundled)");
    let bundle = if page.is_file() {
        println!("cargo::rustc-cfg=graphiql_bundled");
        table(&page, &dist.join("assets"))?
    } else {
        "None".to_owned()
    };
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("graphiql.rs"), bundle)?;
    Ok(())
}

/// The bundle as an expression of type `Option<Bundle>`.
fn table(page: &Path, assets: &Path) -> Result<String, Box<dyn Error>> {
    let mut files =
        fs::read_dir(assets)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, io::Error>>()?;
    files.sort();
    let mut table = format!("Some(Bundle {{ page: include_str!({:?}), assets: &[", text(page)?);
    for file in files {
        let name = text(Path::new(file.file_stem().ok_or("an asset without a name")?))?;
        let content_type = content_type(name)?;
        write!(
            table,
            "Asset {{ name: {name:?}, content_type: {content_type:?}, gzip: include_bytes!({:?}) }},",
            text(&file)?
        )?;
    }
    table.push_str("] })");
    Ok(table)
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8, as a path in Rust source must be", path.display()))
}

fn content_type(name: &str) -> Result<&'static str, String> {
    match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        _ => Err(format!("{name} is of a kind that this build does not know")),
    }
}
