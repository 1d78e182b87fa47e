//! Embeds the pages that `make web` bundles: those that have been bundled.
//!
//! Nothing is downloaded or bundled here: a build needs neither Node nor a network.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The pages. `make web` writes each into `web/NAME/dist`, which is always there, as it holds a file that is in git.
const PAGES: [&str; 2] = ["chat", "graphiql"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    for name in PAGES {
        embed(name)?;
    }
    Ok(())
}

/// Writes the page's bundle into `OUT_DIR/NAME.rs`, as an expression of type `Option<Bundle>`.
fn embed(name: &str) -> Result<(), Box<dyn Error>> {
    let dist = format!("web/{name}/dist");
    println!("cargo::rerun-if-changed={dist}");
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(dist);
    let page = dist.join("index.html");
    // For the tests, as some need the page.
    println!("cargo::rustc-check-cfg=cfg({name}_bundled)");
    let bundle = if page.is_file() { table(&page, &dist.join("assets"))? } else { None };
    if bundle.is_some() {
        println!("cargo::rustc-cfg={name}_bundled");
    }
    let bundle = bundle.unwrap_or_else(|| "None".to_owned());
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join(format!("{name}.rs")), bundle)?;
    Ok(())
}

/// The bundle as an expression; `None` if an asset is missing in one of its two encodings, which was not made by the present
/// build of the pages.
fn table(page: &Path, assets: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let mut files =
        fs::read_dir(assets)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    let mut table = format!("Some(Bundle {{ page: include_str!({:?}), assets: &[", text(page)?);
    for file in files {
        let name = text(Path::new(file.file_stem().ok_or("an asset without a name")?))?;
        let content_type = content_type(name)?;
        let brotli = file.with_extension("br");
        if !brotli.is_file() {
            println!("cargo::warning={} is not there: run `make web`", brotli.display());
            return Ok(None);
        }
        write!(
            table,
            "super::bundle::Asset {{ name: {name:?}, content_type: {content_type:?}, gzip: include_bytes!({:?}), \
             brotli: include_bytes!({:?}) }},",
            text(&file)?,
            text(&brotli)?
        )?;
    }
    table.push_str("] })");
    Ok(Some(table))
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
