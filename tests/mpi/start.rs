//! Starts programs with `mpirun`, and kills them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The variables with the program to run, and its folder.
pub const PROGRAM: &str = "TUPLENET_MPI_PROGRAM";
pub const FOLDER: &str = "TUPLENET_MPI_FOLDER";

/// A folder that ends with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tuplenet-mpi-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a program has left.
pub struct Finished {
    pub success: bool,
    pub output: String,
    pub errors: String,
}

/// A program that runs, with its output in files: a pipe that no one reads would stop it.
pub struct Started {
    child: Child,
    folder: PathBuf,
}

fn start(mut command: Command, program: &str, folder: &Folder) -> Started {
    let file = |name: &str| fs::File::create(folder.0.join(name)).expect("a file");
    for rank in 0..8 {
        let _ = fs::remove_file(folder.0.join(format!("pid.{rank}")));
    }
    let child = command
        .env(PROGRAM, program)
        .env(FOLDER, &folder.0)
        .stdin(Stdio::null())
        .stdout(file("output"))
        .stderr(file("errors"))
        .spawn()
        .unwrap_or_else(|error| {
            panic!("expected {:?}, found none: {error}; install openmpi-bin", command.get_program())
        });
    Started { child, folder: folder.0.clone() }
}

/// Open MPI as a test wants it: for root, more ranks than cores, and no messages through the memory of other processes, which
/// containers forbid.
pub fn open_mpi() -> Command {
    let mut command = Command::new("mpirun");
    for (name, value) in [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
        ("OMPI_MCA_hwloc_base_binding_policy", "none"),
        ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
        ("OMPI_MCA_plm_rsh_agent", "false"),
        // One thread for each rank: there are more ranks than cores.
        ("RAYON_NUM_THREADS", "1"),
    ] {
        command.env(name, value);
    }
    command
}

/// Starts a program of `programs.rs` on so many ranks; without `mpirun` if that is 0.
pub fn mpirun(ranks: usize, program: &str, folder: &Folder) -> Started {
    if ranks == 0 {
        return alone(program, folder, &[]);
    }
    let mut command = open_mpi();
    command.args(["-n", &ranks.to_string()]).arg(this());
    start(command, program, folder)
}

/// Starts a program without `mpirun`.
pub fn alone(program: &str, folder: &Folder, variables: &[(&str, &str)]) -> Started {
    let mut command = Command::new(this());
    command.envs(variables.iter().copied());
    start(command, program, folder)
}

fn this() -> PathBuf {
    std::env::current_exe().expect("this program")
}

impl Started {
    pub fn finish(self) -> Finished {
        self.wait_for(Duration::from_secs(300)).expect("a program that ends")
    }

    /// Waits for its end; `None` if it runs longer.
    pub fn wait_for(mut self, time: Duration) -> Option<Finished> {
        self.ends_within(time).then(|| {
            let success = self.child.wait().expect("a child").success();
            let read = |name: &str| fs::read_to_string(self.folder.join(name)).expect("a text");
            Finished { success, output: read("output"), errors: read("errors") }
        })
    }

    /// Whether it ends within this time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while self.child.try_wait().expect("a child").is_none() {
            if start.elapsed() >= time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Kills a rank as soon as it has begun; returns whether it still ran.
    pub fn kill_rank(&mut self, rank: usize) -> bool {
        let file = self.folder.join(format!("pid.{rank}"));
        loop {
            if let Ok(pid) = fs::read_to_string(&file)
                && let Some(pid) = pid.strip_suffix('\n')
            {
                return Command::new("kill")
                    .args(["-KILL", pid])
                    .stderr(Stdio::null())
                    .status()
                    .expect("the program `kill`")
                    .success();
            }
            if self.ends_within(Duration::from_millis(2)) {
                return false;
            }
        }
    }
}

/// Random integers below a limit: other ones in each run, since no moment is more interesting than another.
pub fn random() -> impl FnMut(u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    let mut state = now.as_nanos() as u64;
    move |limit| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    }
}

/// Two network namespaces that are connected by a pair of virtual Ethernet devices.
pub struct Hosts {
    names: [String; 2],
}

const ADDRESSES: [&str; 2] = ["10.213.7.1", "10.213.7.2"];

fn ip(arguments: &str) -> bool {
    let status = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Makes them; `None` where one may not, or where there is no `ip`.
pub fn namespaces() -> Option<Hosts> {
    let names = [0, 1].map(|host| format!("tuplenet{}-{host}", std::process::id() % 100_000));
    let hosts = Hosts { names };
    let [one, two] = &hosts.names;
    let id = std::process::id() % 100_000;
    let made = ip(&format!("netns add {one}"))
        && ip(&format!("netns add {two}"))
        && ip(&format!("link add tn{id}a netns {one} type veth peer name tn{id}b netns {two}"))
        && hosts.names.iter().zip(["a", "b"]).zip(ADDRESSES).all(|((name, end), address)| {
            ip(&format!("-n {name} addr add {address}/24 dev tn{id}{end}"))
                && ip(&format!("-n {name} link set tn{id}{end} up"))
                && ip(&format!("-n {name} link set lo up"))
        });
    made.then_some(hosts)
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

impl Hosts {
    /// Starts a program on two ranks, one on each host. What `mpirun` calls instead of `ssh` enters the namespace of the host.
    pub fn mpirun(&self, program: &str, folder: &Folder) -> Started {
        let [one, two] = &self.names;
        let agent = folder.0.join("agent");
        // `ssh` gets the host, then the command.
        let script = format!(
            "#!/bin/sh\nshift\nexec ip netns exec {two} unshare --uts sh -c 'hostname {two}; exec sh -c \"$0\"' \"$*\"\n"
        );
        fs::write(&agent, script).expect("a file");
        Command::new("chmod").arg("+x").arg(&agent).status().expect("the program `chmod`");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", one]);
        let mpirun = open_mpi();
        command.arg(mpirun.get_program());
        for (name, value) in mpirun.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("OMPI_MCA_plm_rsh_agent", &agent);
        command.args(["--host", &ADDRESSES.join(","), "-n", "2", "--map-by", "node"]);
        command.args(["--mca", "btl", "self,tcp", "--mca", "pml", "ob1"]);
        command.args(["--mca", "btl_tcp_if_include", "10.213.7.0/24", "--mca", "oob_tcp_if_include", "10.213.7.0/24"]);
        command.args(["-x", FOLDER, "-x", PROGRAM, "-x", "RAYON_NUM_THREADS"]).arg(this());
        start(command, program, folder)
    }
}
