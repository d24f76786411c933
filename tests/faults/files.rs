//! Weights and checkpoints on disk, exports.

#[path = "../common/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use tuplenet::prelude::*;

/// An empty folder, which is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tuplenet-files-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all that is in it, in their order.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Writer = fn(&Path) -> Result<(), String>;

/// Everything that writes a file, by the ending that such a file has, each of at least four kilobytes.
fn writers() -> Vec<(&'static str, Writer)> {
    type Large = Dense<64, 64, Identity>;
    #[allow(unused_mut)]
    let mut writers: Vec<(&'static str, Writer)> = Vec::new();
    #[cfg(feature = "safetensors")]
    writers.push(("safetensors", |path| {
        tuplenet::io::safetensors::save(&Large::new(&mut seeded(0)), path).map_err(|error| error.to_string())
    }));
    #[cfg(feature = "export")]
    writers.push(("onnx", |path| {
        let bytes = tuplenet::io::export::onnx(&Large::new(&mut seeded(0))).unwrap();
        tuplenet::io::export::save(bytes, path).map_err(|error| error.to_string())
    }));
    #[cfg(feature = "checkpoint")]
    writers.push(("checkpoint", |path| {
        let network = Large::new(&mut seeded(0));
        let trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
        let mut checkpoint = tuplenet::train::checkpoint::Checkpoint::new(path, ());
        checkpoint.save(&trainer).map_err(|error| error.to_string())
    }));
    #[cfg(feature = "plot")]
    for ending in ["svg", "png"] {
        writers.push((ending, |path| {
            let values: Vec<f64> = (0..40).map(f64::from).collect();
            tuplenet::plot::curves("value", &[("one", &values)], path).map_err(|error| error.to_string())
        }));
    }
    let _ = size_of::<Large>();
    writers
}

#[cfg(unix)]
mod on_unix {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::process::{Command, Output};

    const FILE: &str = "TUPLENET_FAULTS_FILE";
    const THIS: &str = "files::on_unix::child";

    /// Writes a file, where another test has asked for it in a process of its own.
    #[test]
    fn child() {
        let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
        let ending = std::env::var("TUPLENET_FAULTS_ENDING").unwrap();
        let (_, write) = *writers().iter().find(|(known, _)| *known == ending).unwrap();
        write(&path).unwrap();
    }

    /// Runs `child` after these words of a shell.
    fn spawn(before: &str, path: &Path, ending: &str, redirected: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{before} exec \"$0\" --exact {THIS} --nocapture --test-threads=1 {redirected}"));
        shell.arg(std::env::current_exe().unwrap()).env(FILE, path).env("TUPLENET_FAULTS_ENDING", ending);
        shell.output().unwrap()
    }

    /// No file may grow beyond two kilobytes: the system ends the program that tries, in the middle of its writing, or
    /// tells it that there is no room, as a full disk does.
    #[test]
    fn a_full_disk_or_a_kill_leaves_the_old_file() {
        let folder = Folder::new("full");
        for (ending, write) in writers() {
            let path = folder.join(&format!("old.{ending}"));
            for before in ["trap '' XFSZ; ulimit -f 2;", "ulimit -f 2;"] {
                fs::write(&path, "the old one").unwrap();
                let output = spawn(before, &path, ending, "");
                assert!(!output.status.success(), "{ending}: there was room");
                assert_eq!(fs::read_to_string(&path).unwrap(), "the old one", "{ending}, {before}");
                assert!(output.status.code().is_none() || folder.names().len() == 1, "{:?}", folder.names());
            }
            // And where there is room, there is the new file and nothing beside it.
            assert!(spawn("", &path, ending, "").status.success());
            assert!(fs::read(&path).unwrap().len() > 4096, "{ending}");
            if ending == "checkpoint" {
                // It removes leftovers only when it continues, for it writes often.
                folder.names().iter().filter(|name| name.ends_with(".new")).for_each(|name| {
                    fs::remove_file(folder.join(name)).unwrap();
                });
            }
            assert_eq!(folder.names(), [format!("old.{ending}")]);
            write(&path).unwrap();
            assert_eq!(folder.names(), [format!("old.{ending}")]);
            fs::remove_file(&path).unwrap();
        }
    }

    /// A name may be a link, of which there may be several one behind the other, and whose file may not be there yet.
    #[test]
    fn links_stay_and_their_file_is_replaced() {
        let folder = Folder::new("links");
        fs::create_dir(folder.join("below")).unwrap();
        for (ending, write) in writers() {
            let [link, other, file] =
                ["link", "below/other", "file"].map(|name| folder.join(&format!("{name}.{ending}")));
            symlink(format!("below/other.{ending}"), &link).unwrap();
            symlink(format!("../file.{ending}"), &other).unwrap();
            for _ in 0..2 {
                write(&link).unwrap();
                assert!(
                    link.symlink_metadata().unwrap().is_symlink() && other.symlink_metadata().unwrap().is_symlink()
                );
                assert!(file.symlink_metadata().unwrap().is_file(), "{ending}");
                assert!(fs::read(&file).unwrap().len() > 4096);
                assert_eq!(fs::read_dir(folder.join("below")).unwrap().count(), 1, "beside the link nothing is left");
                fs::write(&file, "the old one").unwrap();
            }
            for path in [link, other, file] {
                fs::remove_file(path).unwrap();
            }
            let circle = folder.join(&format!("circle.{ending}"));
            symlink(&circle, &circle).unwrap();
            write(&circle).unwrap_err();
            fs::remove_file(circle).unwrap();
        }
        assert_eq!(folder.names(), ["below"]);
    }

    #[test]
    fn permissions_stay() {
        let folder = Folder::new("permissions");
        for (ending, write) in writers() {
            let path = folder.join(&format!("file.{ending}"));
            for mode in [0o600, 0o640, 0o666, 0o755] {
                fs::write(&path, "the old one").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                write(&path).unwrap();
                assert!(fs::read(&path).unwrap().len() > 4096);
                let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(found, mode, "{ending}: {found:o}, not {mode:o}");
            }
        }
    }

    /// What can't be replaced is written to: a device, and what standard output goes to, be it a pipe or a file that
    /// has something in it already. A checkpoint must be read again, and is refused.
    #[test]
    fn devices_and_pipes_are_written_to() {
        let folder = Folder::new("devices");
        for (ending, write) in writers() {
            let path = folder.join(&format!("file.{ending}"));
            write(&path).unwrap();
            let right = fs::read(&path).unwrap();
            let has = |found: &[u8]| found.windows(right.len()).any(|window| window == right);

            let null = folder.join(&format!("null.{ending}"));
            symlink("/dev/null", &null).unwrap();
            let output = folder.join(&format!("output.{ending}"));
            symlink("/dev/stdout", &output).unwrap();
            if ending == "checkpoint" {
                let error = write(&null).unwrap_err();
                assert!(error.ends_with("expected a file, found a device or a pipe"), "{error}");
            } else {
                write(&null).unwrap();
                assert!(has(&spawn("", &output, ending, "").stdout), "{ending}: to a pipe");
                let redirected = folder.join("redirected");
                fs::write(&redirected, "what was there").unwrap();
                spawn("", &output, ending, &format!(">> '{}'", redirected.display()));
                let found = fs::read(&redirected).unwrap();
                assert!(has(&found) && found.starts_with(b"what was there"), "{ending}: to a file");
            }
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
            assert!(null.symlink_metadata().unwrap().is_symlink() && output.symlink_metadata().unwrap().is_symlink());
        }
    }
}

/// A name may have 255 bytes, with which there is no room for more behind it.
#[test]
fn long_names_can_be_written() {
    let folder = Folder::new("long");
    for (ending, write) in writers() {
        for letter in ["x", "é"] {
            let name = letter.repeat((254 - ending.len()) / letter.len());
            write(&folder.join(&format!("{name}.{ending}"))).unwrap();
        }
    }
    assert_eq!(folder.names().len(), 2 * writers().len());
    assert!(folder.names().iter().all(|name| !name.ends_with(".new")));
}

#[test]
fn an_error_names_the_file_and_the_folder_that_is_missing() {
    let folder = Folder::new("missing");
    for (ending, write) in writers() {
        let path = folder.join("missing").join(format!("file.{ending}"));
        let error = write(&path).unwrap_err();
        assert!(error.contains(&format!("`{}`", path.display())), "{error}");
        assert!(error.contains(&format!("there is no folder `{}`", folder.join("missing").display())), "{error}");
        let error = write(&folder.0).unwrap_err();
        assert!(error.contains(&format!("`{}`", folder.0.display())), "{error}");
    }
    assert!(folder.names().is_empty());
}

#[cfg(feature = "checkpoint")]
mod checkpoints {
    use super::*;
    use std::ops::ControlFlow;
    use tuplenet::Error;
    use tuplenet::train::checkpoint::Checkpoint;

    type Line = Dense<1, 1, Identity>;

    /// The first epoch may take hours.
    #[test]
    fn a_missing_folder_is_noticed_before_the_first_epoch() {
        let folder = Folder::new("before");
        let path = folder.join("missing").join("net.checkpoint");
        let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
        let mut epochs = 0;
        let count = |_: &EpochReport<Line>| {
            epochs += 1;
            ControlFlow::Continue(())
        };
        let fit = FitOptions { epochs: 3, ..FitOptions::default() };
        let error = trainer.fit(&[[1.0]], &[[2.0]], &fit, &mut Checkpoint::new(&path, count)).unwrap_err();
        assert!(matches!(error, Error::Checkpoint { kind: std::io::ErrorKind::NotFound, .. }));
        assert_eq!((epochs, trainer.epochs), (0, 0));
        // All of a path that is not too long.
        let end = format!(
            "{}` could not be written: entity not found",
            Path::new("missing").join("net.checkpoint").display()
        );
        assert!(error.to_string().starts_with("the checkpoint `") && error.to_string().ends_with(&end), "{error}");
        fs::create_dir(folder.join("missing")).unwrap();
        trainer.fit(&[[1.0]], &[[2.0]], &fit, &mut Checkpoint::new(&path, ())).unwrap();
        assert!(Checkpoint::new(&path, ()).resume(&mut trainer).unwrap());
    }

    #[test]
    fn an_error_names_the_checkpoint() {
        let folder = Folder::new("names");
        let path = folder.join("net.checkpoint");
        let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
        for (contents, words) in [
            (&b"something else"[..], "expected a checkpoint, found a file that is none"),
            (b"tuplenet\x01\0\0\0", "expected a checkpoint of 24 bytes, found 12: it was cut, or something was added"),
        ] {
            fs::write(&path, contents).unwrap();
            let error = Checkpoint::new(&path, ()).resume(&mut trainer).unwrap_err();
            assert_eq!(error.to_string(), format!("`{}`: {words}", path.display()));
        }
    }
}

#[cfg(feature = "safetensors")]
mod weights {
    use super::*;
    use tuplenet::io::safetensors::{self, LoadError, Safetensors};
    use tuplenet::layers::BatchNorm;

    type Net = (Dense<2, 3, Tanh>, Dense<3, 1, Sigmoid>);

    #[test]
    fn an_error_names_the_file_of_weights() {
        let folder = Folder::new("weights");
        let path = folder.join("net.safetensors");
        let named = |words: &str| format!("`{}`: {words}", path.display());
        let error = safetensors::load::<Net>(&path).unwrap_err().to_string();
        assert!(error.starts_with(&named("")), "{error}");
        fs::write(&path, "").unwrap();
        let words = "expected 8 bytes at least, for the length of the header, found 0";
        assert_eq!(safetensors::load::<Net>(&path).unwrap_err().to_string(), named(words));
        safetensors::save(&Dense::<2, 3, Tanh>::new(&mut seeded(0)), &path).unwrap();
        let words = "tensor `2.weight`: expected [1, 3], found no tensor of that name";
        assert_eq!(safetensors::load::<Net>(&path).unwrap_err().to_string(), named(words));
        let mut ruined = Net::new(&mut seeded(0));
        ruined.0.bias[1] = f32::NAN;
        let before = fs::read(&path).unwrap();
        let words = "tensor `0.bias`: expected finite numbers, found NaN in row 1, column 0";
        assert_eq!(safetensors::save(&ruined, &path).unwrap_err().to_string(), named(words));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    /// How files of other formats begin, and a word of what is said about them.
    #[test]
    fn files_of_other_formats_are_recognised() {
        let zip = |name: &str| {
            let start = b"PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
            [&start[..], &(name.len() as u16).to_le_bytes(), &[0, 0], name.as_bytes(), b"contents"].concat()
        };
        let long = |start: &[u8]| [start, &[7; 300]].concat();
        let torch = "safetensors.torch.save_file(network.state_dict(), path)";
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (zip("archive/data.pkl"), torch),
            (zip("net/data.pkl"), torch),
            (zip("something/else"), torch),
            (zip("metadata.json"), "keras_model.py"),
            (zip("weight.npy"), "safetensors.numpy"),
            (long(b"\x80\x02}q\0(X\x08\0\0\0"), torch),
            (long(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), torch),
            (long(b"\x80\x04\x95\x3c\0\0\0\0\0\0\0}\x94"), torch),
            (long(b"\x80\x05\x95\xff\x12\0\0\0\0\0\0\x8c"), "sklearn_model.py"),
            (long(b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"), "keras_model.py"),
            (long(b"\x08\x08\x12\x07pytorch\x1a\x05"), "ONNX"),
            (long(b"\x08\x08\x12\x08tuplenet"), "ONNX"),
            (long(b"\x93NUMPY\x01\0v\0"), "NumPy"),
            (long(b"GGUF\x03\0\0\0\x10"), "GGUF"),
            (long(b"\x1c\0\0\0TFL3\x14\0"), "TensorFlow Lite"),
            (long(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), "unpack"),
            (long(b"x\x9c\x95\x91\x03\0\0\0\0\0"), "joblib"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(), "git lfs pull"),
            (b"<!DOCTYPE html>\n<html><body>404</body></html>".to_vec(), "HTML"),
            (b"{\n  \"metadata\": {\"total_size\": 68}\n}".to_vec(), "JSON"),
            (b"{\"a\": 1}, and so on".to_vec(), "JSON"),
            (b"sepal_length,sepal_width\n5.1,3.5\n".to_vec(), "text"),
            (b"\xef\xbb\xbfa,b,c,d\n1,2,3,4\n".to_vec(), "text"),
            (long(b"tuplenet\x01\0\0\0"), "Checkpoint::resume"),
        ];
        for (bytes, word) in cases {
            let mut network = Net::new(&mut seeded(0));
            let load_error = Safetensors::DEFAULT.read(&bytes, &mut network).unwrap_err();
            let error = load_error.to_string();
            assert!(matches!(load_error, LoadError::Format { .. }), "{error}");
            assert!(
                error.starts_with("expected a safetensors file, found ") && error.contains(word),
                "{word}: {error}"
            );
            // Nothing was cut off.
            assert!(error.len() < 256, "{} bytes: {error}", error.len());
            let from_reader = Safetensors::DEFAULT.read_from(&bytes[..], &mut network).unwrap_err();
            assert_eq!(from_reader.to_string(), error);
        }
    }

    /// Whatever the length of the header is, and with it the first bytes, a cut file of safetensors is one.
    #[test]
    fn what_is_cut_is_not_taken_for_another_format() {
        for length in (0..=0xffffu64).chain([0x0008_1208, 0x0095_0480, 0x0004_0350]) {
            let bytes = [&length.to_le_bytes()[..], b"{\"0.bias\":{\"dt"].concat();
            let load_error = safetensors::from_bytes::<Net>(&bytes).unwrap_err();
            assert!(!matches!(load_error, LoadError::Format { .. }), "{length:x}: {load_error}");
        }
    }

    /// What another layer has is no suggestion.
    #[test]
    fn a_missing_tensor_leads_to_one_that_nothing_uses() {
        let missing = |bytes: &[u8]| safetensors::from_bytes::<Net>(bytes).unwrap_err().to_string();
        // As PyTorch names them where `nn.Tanh()` was forgotten, and where modules are the fields of a class.
        let forgotten =
            safetensors::to_vec(&<(Dense<2, 3, Identity>, Dense<3, 1, Identity>)>::new(&mut seeded(0))).unwrap();
        assert_eq!(
            missing(&forgotten),
            "tensor `2.weight`: expected [1, 3], found no tensor of that name, but `1.weight`"
        );
        let fields = Safetensors { names: safetensors::Names::Modules(&["first", "second"]), ..Safetensors::DEFAULT };
        let fields = fields.to_vec(&Net::new(&mut seeded(0))).unwrap();
        assert_eq!(
            missing(&fields),
            "tensor `0.weight`: expected [3, 2], found no tensor of that name, but `first.weight`"
        );
        let alone = safetensors::to_vec(&Dense::<2, 3, Tanh>::new(&mut seeded(0))).unwrap();
        assert_eq!(missing(&alone), "tensor `2.weight`: expected [1, 3], found no tensor of that name");
    }

    /// All numbers are finite, but in prediction the layer is `scale * x + shift`, and one of these is not.
    fn norm<T: Real>() {
        type Norm<T> = (Dense<2, 3, Identity, T>, BatchNorm<3, T>);
        let good = Norm::<T>::new(&mut seeded(0));
        let any = Safetensors { any_number: true, ..Safetensors::DEFAULT };
        let (root, most) = (T::of(3e-3), T::max_value());
        type Change<'a, T> = &'a dyn Fn(&mut BatchNorm<3, T>);
        let bad: [(Change<T>, &str); 7] = [
            (&|norm| norm.running_variance[1] = T::of(-1.0), "running_var"),
            (&|norm| norm.running_variance[1] = T::of(-1e-5), "running_var"),
            (&|norm| norm.running_variance[1] = -most, "running_var"),
            (&|norm| (norm.weight[1], norm.running_variance[1]) = (most, T::ZERO), "weight"),
            (&|norm| (norm.weight[1], norm.running_variance[1]) = (-most * root * T::of(1.1), T::ZERO), "weight"),
            (&|norm| (norm.running_mean[1], norm.weight[1]) = (most * T::of(0.9), T::of(2.0)), "running_mean"),
            (&|norm| (norm.running_mean[1], norm.bias[1]) = (most * T::of(0.6), -most * T::of(0.6)), "running_mean"),
        ];
        for (index, (change, tensor)) in bad.into_iter().enumerate() {
            let mut network = good.clone();
            change(&mut network.1);
            let outputs = network.predict_one(&[T::ZERO, T::ZERO]);
            let scaled = network.1.predict_one(&[T::ONE; 3]);
            assert!(!(outputs[1].is_finite() && scaled[1].is_finite()), "{index}: {outputs:?}, {scaled:?}");
            let bytes = any.to_vec(&network).unwrap();
            let mut place = good.clone();
            let load_error = Safetensors::DEFAULT.read(&bytes, &mut place).unwrap_err();
            assert!(matches!(load_error, LoadError::Normalization { row: 1, .. }), "{index}: {load_error}");
            assert!(
                load_error.to_string().starts_with(&format!("tensor `1.{tensor}`: expected a ")),
                "{index}: {load_error}"
            );
            assert!(load_error.to_string().ends_with(", found another in row 1"), "{index}: {load_error}");
            assert!(place == good);
            // What could not be read again is not written.
            assert_eq!(safetensors::to_vec(&network).unwrap_err(), load_error);
            any.read(&bytes, &mut place).unwrap();
            assert!(place == network);
        }
        // At the border all is well, and a variance may be a little below zero, where another epsilon was moved into
        // it.
        let mut network = good.clone();
        network.1.running_variance[0] = T::of(-0.99e-5);
        network.1.running_variance[1] = most;
        (network.1.running_variance[2], network.1.weight[2]) = (T::ZERO, most * root);
        network.1.running_mean[1] = most;
        assert!(network.1.predict_one(&[T::ONE; 3]).iter().all(|value| value.is_finite()));
        assert!(safetensors::from_bytes::<Norm<T>>(&safetensors::to_vec(&network).unwrap()).unwrap() == network);
    }

    #[test]
    fn finite_weights_of_a_norm_that_is_not_finite_are_refused() {
        norm::<f32>();
        norm::<f64>();
        // Finite in the file, and as an f32 not.
        let mut wide = <(Dense<2, 3, Identity, f64>, BatchNorm<3, f64>)>::new(&mut seeded(0));
        (wide.1.weight[2], wide.1.running_variance[2]) = (1e37, 0.0);
        let bytes = safetensors::to_vec(&wide).unwrap();
        let load_error = safetensors::from_bytes::<(Dense<2, 3, Identity>, BatchNorm<3>)>(&bytes).unwrap_err();
        assert!(
            load_error.to_string().starts_with("tensor `1.weight`: expected a number that is finite after"),
            "{load_error}"
        );
    }
}

#[cfg(feature = "export")]
mod exports {
    use super::*;
    use std::process::Command;
    use tuplenet::io::export;
    use tuplenet::layers::{BatchNorm, LayerNorm, Residual};

    type Many = (
        (Dense<2, 6, HardSigmoid>, BatchNorm<6>, Gelu, LayerNorm<6>),
        (Dense<6, 6, Selu>, Elu, Residual<Dense<6, 6, Tanh>>, Silu),
        (Dense<6, 6, Softplus>, Softsign, LeakyRelu, Dense<6, 3, Softmax>),
    );
    type Few = (Dense<2, 4, Sigmoid, f64>, LayerNorm<4, f64, 1>, Tanh, Dense<4, 2, Relu, f64>);

    fn run(command: &mut Command) {
        let output = command.output().unwrap();
        let words = [output.stdout, output.stderr].map(|words| String::from_utf8_lossy(&words).into_owned()).concat();
        assert!(output.status.success(), "{command:?}: {words}");
    }

    /// The words of a text that are or may be macros: what is defined, and what is asked for.
    fn macros(text: &str) -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with('#') && !line.contains("__cplusplus"));
        let words = lines.flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
        let known = ["", "if", "ifdef", "ifndef", "endif", "define", "defined", "include", "stddef", "stdint", "h"];
        let words =
            words.filter(|word| !known.contains(word) && !word.starts_with(|first: char| first.is_ascii_digit()));
        words.map(str::to_string).collect()
    }

    /// Names that differ in capital letters alone, or by what is put behind them.
    const NAMES: [&str; 5] = ["net", "Net", "NET", "net_hard", "n"];

    fn files(name: &str) -> [String; 2] {
        if name == "net_hard" || name == "Net" {
            let network = Few::new(&mut seeded(1));
            return [
                export::c_source(&network, name, &[[0.5, 1.0], [-1.0, 2.0]]).unwrap(),
                export::c_header(&network, name).unwrap(),
            ];
        }
        let network = Many::new(&mut seeded(1));
        [
            export::c_source(&network, name, &[[0.5, 1.0], [-1.0, 2.0]]).unwrap(),
            export::c_header(&network, name).unwrap(),
        ]
    }

    #[test]
    fn two_networks_never_share_a_macro() {
        let all: Vec<Vec<String>> = NAMES.iter().map(|name| macros(&files(name).concat())).collect();
        for (index, some) in all.iter().enumerate() {
            assert!(some.len() > 4, "{some:?}");
            for others in &all[..index] {
                assert!(some.iter().all(|word| !others.contains(word)), "{some:?}, {others:?}");
            }
        }
        assert!(all[0].contains(&"NET_INPUTS".to_string()) && all[1].contains(&"Net_Inputs".to_string()));
    }

    /// Sources in C, headers in C++, and everything in one file, as C and as C++.
    #[test]
    fn several_networks_in_one_program_of_c_and_of_cpp() {
        if !tools::are_there(&[("cc", "gcc"), ("c++", "g++")]) {
            return;
        }
        let folder = Folder::new("cpp");
        let [mut headers, mut sources, mut calls, mut switches] = [const { String::new() }; 4];
        let (mut objects, strict) = (Vec::new(), ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Werror"]);
        for name in NAMES {
            // Where the file system does not know capital letters, either.
            let file = format!("{}{name}", name.bytes().filter(u8::is_ascii_uppercase).count());
            let [source, header] = files(name);
            let switch = macros(&source).into_iter().find(|word| word.to_uppercase().ends_with("_SELF_TEST")).unwrap();
            fs::write(folder.join(&format!("{file}.c")), source).unwrap();
            fs::write(folder.join(&format!("{file}.h")), header).unwrap();
            headers += &format!("#include \"{file}.h\"\n");
            sources += &format!("#include \"{file}.c\"\n");
            calls += &format!(" + {name}_self_test()");
            switches += &format!("#define {switch}\n");
            let object = folder.join(&format!("{file}.o"));
            let mut compiler = Command::new("cc");
            compiler.args(["-std=c99", "-c"]).args(strict).arg(format!("-D{switch}"));
            run(compiler.arg(folder.join(&format!("{file}.c"))).arg("-o").arg(&object));
            objects.push(object);
        }
        let main = format!("int main(void) {{\n    return 0{calls};\n}}\n");
        fs::write(folder.join("calls.cpp"), format!("{headers}{headers}{main}")).unwrap();
        let whole = format!("{switches}{headers}{sources}{main}");
        fs::write(folder.join("whole.c"), &whole).unwrap();
        fs::write(folder.join("whole.cpp"), &whole).unwrap();
        for (compiler, standard, file, objects) in [
            ("c++", "-std=c++11", "calls.cpp", &objects[..]),
            ("c++", "-std=c++20", "calls.cpp", &objects),
            ("c++", "-std=c++11", "whole.cpp", &[]),
            ("c++", "-std=c++20", "whole.cpp", &[]),
            ("cc", "-std=c99", "whole.c", &[]),
        ] {
            let program = folder.join("program");
            let mut compiler = Command::new(compiler);
            run(compiler.arg(standard).args(strict).arg(folder.join(file)).args(objects).arg("-o").arg(&program));
            run(&mut Command::new(&program));
        }
    }

    #[test]
    fn exported_rust_is_as_rustfmt_leaves_it() {
        if !tools::are_there(&[("rustfmt", "rustfmt, or rustup component add rustfmt")]) {
            return;
        }
        let folder = Folder::new("rustfmt");
        let texts = [
            export::rust_source(&Many::new(&mut seeded(1)), &[[0.5, 1.0], [-1.0, 2.0]]).unwrap(),
            export::rust_source(&Few::new(&mut seeded(1)), &[[0.5, 1.0]]).unwrap(),
            export::rust_source(&Dense::<1, 1, Identity>::new(&mut seeded(1)), &[[0.5]]).unwrap(),
            export::rust_source(&LayerNorm::<300>::new(&mut seeded(1)), &[[0.5; 300]]).unwrap(),
        ];
        for (index, text) in texts.iter().enumerate() {
            let path = folder.join(&format!("network_{index}.rs"));
            fs::write(&path, text).unwrap();
            for settings in ["max_width=100", "max_width=50", "max_width=180", "hard_tabs=true", "tab_spaces=2"] {
                run(Command::new("rustfmt").args(["--check", "--edition", "2024", "--config", settings]).arg(&path));
            }
        }
    }

    /// The smallest epsilon there is comes through to the bit.
    #[test]
    fn a_small_epsilon_is_not_rounded() {
        type Small = LayerNorm<3, f32, 1>;
        type Odd = LayerNorm<3, f32, 123_456_789_012>;
        let (small, odd) = (Small::new(&mut seeded(0)), Odd::new(&mut seeded(0)));
        let samples = [[2.0, 2.0, 2.0], [1.0, 1.00001, 1.0]];
        assert_eq!(small.predict_one(&samples[0]), [0.0; 3]);
        let c = export::c_source(&small, "net", &samples).unwrap();
        assert!(c.contains("net_bias_0, 1e-9f, 3, "), "{c}");
        assert!(export::c_source(&odd, "net", &samples).unwrap().contains("net_bias_0, 123.45679f, 3, "));
        assert!(
            export::rust_source(&odd, &samples).unwrap().contains("pub type Net = LayerNorm<3, f32, 123456789012>;")
        );
        for (onnx, epsilon) in [(export::onnx(&small).unwrap(), 1e-9f32), (export::onnx(&odd).unwrap(), 123.456_79_f32)]
        {
            let attribute = [b"epsilon\x15".as_slice(), &epsilon.to_le_bytes()].concat();
            assert!(onnx.windows(attribute.len()).any(|window| window == attribute));
        }
    }
}
