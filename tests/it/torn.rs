//! Ledgers as a dying disk or a careless hand leaves them: a log cut or garbled anywhere, side
//! files gone, pages spoiled. A ledger opens to what was committed up to the harm, or is refused
//! untouched; nothing in between.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::harness::{Lab, Ran, Server, customers, rows};
use crate::many;

const ROWS: usize = 12;
const SIDES: [&str; 3] = ["l.db", "l.db-wal", "l.db-shm"];

/// A ledger and the server that it speaks of.
struct Scene {
    lab: Lab,
    server: Server,
}

/// The files of a ledger.
type Files = BTreeMap<&'static str, Vec<u8>>;

impl Scene {
    /// Four customers of an earlier run are in the main file; of the twelve of a second run, killed
    /// midway, the log alone knows.
    fn killed() -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "20ms"]);
        let scene = Self { lab, server };
        scene.lab.customers(4);
        scene.import(&scene.lab).ends(0);
        scene.lab.customers(ROWS);
        let args = scene.args(&scene.lab);
        let mut child = scene.lab.command(&as_strs(&args)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        while many::posts_so_far(&scene.lab) < 10 && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience);
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        scene
    }

    /// All twelve imported, the log tidied away.
    fn complete() -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        let scene = Self { lab, server };
        scene.lab.customers(ROWS);
        scene.import(&scene.lab).ends(0);
        scene
    }

    fn files(&self) -> Files {
        SIDES.iter().filter_map(|name| Some((*name, std::fs::read(self.lab.path(name)).ok()?))).collect()
    }

    fn args(&self, lab: &Lab) -> Vec<String> {
        let mut args = lab.import_args(&self.server, &["--ledger", "l.db"]);
        args.extend(["--concurrency", "2"]);
        args.into_iter().map(str::to_owned).collect()
    }

    fn import(&self, lab: &Lab) -> Ran {
        lab.run(&as_strs(&self.args(lab)))
    }

    /// An import of the twelve, and of a newcomer that is in no other trial, with these files as
    /// its ledger.
    fn import_with(&self, files: &Files, newcomer: &str) -> (Lab, Ran) {
        let lab = Lab::new();
        lab.write("in.csv", format!("{}New,{newcomer},+4917612345678,DEU\n", customers(ROWS)));
        for (name, content) in files {
            lab.write(name, content);
        }
        let ran = self.import(&lab);
        (lab, ran)
    }

    /// What a run made of a damaged ledger: its report is true, or it refused.
    #[track_caller]
    fn told_the_truth_or_refused(&self, lab: &Lab, ran: &Ran, what: &str) -> bool {
        assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
        if [74, 78].contains(&ran.code) {
            return false;
        }
        assert_eq!(ran.code, 0, "{what}: {ran:?}");
        assert_eq!(rows(&lab.path("in.report.csv")).len(), ROWS + 1, "{what}");
        assert!(self.report_is_true(lab), "{what}: {}", lab.read("in.report.csv"));
        true
    }
}

impl Scene {
    fn report_is_true(&self, lab: &Lab) -> bool {
        let customers = self.server.customers();
        let is_true = |row: &BTreeMap<String, String>| {
            ["created", "already_imported", "exists"].contains(&row["status"].as_str())
                && customers[&row["customer_email"]] == [row["customer_id"].clone()]
        };
        rows(&lab.path("in.report.csv")).iter().all(is_true)
    }

    #[track_caller]
    fn nobody_is_there_twice(&self) {
        let customers = self.server.customers();
        let twice: Vec<_> = customers.iter().filter(|(_, ids)| ids.len() != 1).collect();
        assert!(customers.len() >= ROWS && twice.is_empty(), "{twice:?}");
    }
}

fn as_strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Some harm to the files of a ledger.
type Harm = Box<dyn Fn(&mut Files) + Send + Sync>;

/// Tries each harm to a ledger of its own; gives how many opened and how many were refused.
#[track_caller]
fn survives(scene: &Scene, harms: &[(String, Harm)]) -> (usize, usize) {
    let (files, opened) = (scene.files(), Mutex::new(0));
    let cases: Vec<_> = (0..harms.len()).collect();
    many::each(&cases, |n| {
        let (what, harm) = &harms[*n];
        let mut harmed = files.clone();
        harm(&mut harmed);
        let (lab, ran) = scene.import_with(&harmed, &format!("new{n}@example.com"));
        *opened.lock().unwrap() += usize::from(scene.told_the_truth_or_refused(&lab, &ran, what));
    });
    scene.nobody_is_there_twice();
    let opened = opened.into_inner().unwrap();
    (opened, harms.len() - opened)
}

fn harm(what: impl Into<String>, harm: impl Fn(&mut Files) + Send + Sync + 'static) -> (String, Harm) {
    (what.into(), Box::new(harm))
}

fn wal(files: &mut Files) -> &mut Vec<u8> {
    files.get_mut("l.db-wal").unwrap()
}

#[test]
fn a_log_cut_anywhere_opens_to_a_prefix_and_the_run_completes() {
    let scene = Scene::killed();
    let length = scene.files()["l.db-wal"].len();
    let trials = if many::long() { 400 } else { 24 };
    // Frames are 4120 bytes; a step that has nothing to do with that cuts them at all places.
    let step = (length / trials).max(1) | 1;
    let mut harms: Vec<_> = (0..=length)
        .step_by(step)
        .map(|cut| harm(format!("cut at {cut} of {length}"), move |files| wal(files).truncate(cut)))
        .collect();
    for around in [1, 31, 32, 33, 55, 56, 32 + 24, 32 + 4120 - 1, 32 + 4120, length - 1] {
        harms.push(harm(format!("cut at {around}"), move |files| wal(files).truncate(around)));
    }
    let (opened, refused) = survives(&scene, &harms);
    many::note(format_args!("cut logs: {opened} opened, {refused} refused"));
    assert_eq!(refused, 0, "a log that ends early is the ordinary trace of a power cut");
}

#[test]
fn a_log_garbled_anywhere_opens_to_a_prefix_or_is_refused() {
    let scene = Scene::killed();
    let length = scene.files()["l.db-wal"].len();
    let trials = if many::long() { 200 } else { 12 };
    let places = (0..length).step_by((length / trials).max(1) | 1);
    let mut harms = Vec::new();
    for place in places {
        harms.push(harm(format!("flipped at {place}"), move |files| wal(files)[place] ^= 0x55));
        harms.push(harm(format!("zeroed from {place}"), move |files| wal(files)[place..].fill(0)));
    }
    harms.push(harm("garbage behind", |files| wal(files).extend([0xa5; 9000])));
    let (opened, refused) = survives(&scene, &harms);
    many::note(format_args!("garbled logs: {opened} opened, {refused} refused"));
}

#[test]
fn side_files_that_are_gone_or_of_another_time_lose_no_customer_and_double_none() {
    let scene = Scene::killed();
    let harms = [
        harm("no log", |files| drop(files.remove("l.db-wal"))),
        harm("no index", |files| drop(files.remove("l.db-shm"))),
        harm("neither", |files| files.retain(|name, _| *name == "l.db")),
        harm("an empty log", |files| wal(files).clear()),
        harm("a garbled index", |files| files.get_mut("l.db-shm").unwrap().fill(0xa5)),
        harm("an empty main file", |files| files.get_mut("l.db").unwrap().clear()),
        harm("half a main file", |files| {
            let main = files.get_mut("l.db").unwrap();
            main.truncate(main.len() / 2);
        }),
    ];
    let (opened, refused) = survives(&scene, &harms);
    many::note(format_args!("side files: {opened} opened, {refused} refused"));
}

/// What became of an import with a spoiled ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The harm went unseen and did none.
    Ran,
    /// The harm went unseen and shows: another id or status than the true one, read from the
    /// spoiled cell.
    Misled,
    /// Refused on opening: nothing changed, nothing sent.
    Refused,
    /// The harm was met later: the run stopped there.
    Stopped,
}

fn fate_of_spoiled(scene: &Scene, what: &str, spoil: impl Fn(&mut Vec<u8>)) -> Fate {
    let mut files = scene.files();
    spoil(files.get_mut("l.db").unwrap());
    let newcomer = format!("{}@example.com", what.replace(' ', "-"));
    let (lab, ran) = scene.import_with(&files, &newcomer);
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
    if ran.code == 0 {
        return if scene.report_is_true(&lab) { Fate::Ran } else { Fate::Misled };
    }
    assert!([74, 78].contains(&ran.code), "{what}: {ran:?}");
    let changed = std::fs::read(lab.path("l.db")).unwrap() != files["l.db"];
    let sent = scene.server.customers().contains_key(&newcomer);
    if sent {
        many::note(format_args!("{what}: stopped after something was sent: {}", ran.stderr));
    }
    if changed || sent { Fate::Stopped } else { Fate::Refused }
}

/// Spoils the main file in every way given, each in a trial of its own.
fn fates(scene: &Scene, ways: &[(String, Spoil)]) -> BTreeMap<Fate, Vec<String>> {
    let fates = Mutex::new(BTreeMap::<_, Vec<_>>::new());
    let cases: Vec<_> = (0..ways.len()).collect();
    many::each(&cases, |n| {
        let (what, spoil) = &ways[*n];
        let fate = fate_of_spoiled(scene, what, spoil);
        fates.lock().unwrap().entry(fate).or_default().push(what.clone());
    });
    scene.nobody_is_there_twice();
    fates.into_inner().unwrap()
}

type Spoil = Box<dyn Fn(&mut Vec<u8>) + Send + Sync>;

fn spoil(what: String, spoil: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> (String, Spoil) {
    (what, Box::new(spoil))
}

#[test]
fn a_page_that_is_gone_is_refused_untouched() {
    let scene = Scene::complete();
    let main = scene.files().remove("l.db").unwrap();
    let (size, length) = (usize::from(u16::from_be_bytes([main[16], main[17]])), main.len());
    let mut ways = Vec::new();
    for page in 0..length / size {
        let range = page * size..(page + 1) * size;
        for (what, byte) in [("zeroed", 0), ("filled", 0xff)] {
            let range = range.clone();
            ways.push(spoil(format!("page {} {what}", page + 1), move |main| main[range.clone()].fill(byte)));
        }
    }
    // Cut within its last page a file is still read, as if zeros followed: that is for the flipped
    // bytes below.
    for cut in [50, 100, 511, 512, size - 1, size, length / 2, length - size] {
        ways.push(spoil(format!("cut at {cut}"), move |main| main.truncate(cut)));
    }
    let fates = fates(&scene, &ways);
    assert_eq!(fates.keys().collect::<Vec<_>>(), [&Fate::Refused], "{fates:?}");
}

/// What the check on opening cannot find: a flip within the text or number of a cell leaves a
/// database that is whole in itself, and an index that contradicts its table is not looked for. The
/// report then repeats what the cell says, and of a customer who is not found there, only the
/// server's rules prevent a second. What must hold all the same: no panic, no customer twice.
#[test]
fn a_flipped_byte_in_the_main_file_doubles_nobody() {
    let scene = Scene::complete();
    let length = scene.files()["l.db"].len();
    let step = if many::long() { 61 } else { 1499 };
    let ways: Vec<_> = (0..length)
        .step_by(step)
        .map(|place| spoil(format!("flipped at {place}"), move |main| main[place] ^= 0x55))
        .collect();
    let fates = fates(&scene, &ways);
    let counts: BTreeMap<_, _> = fates.iter().map(|(fate, ways)| (fate, ways.len())).collect();
    many::note(format_args!(
        "flipped bytes, every {step}th of {length}: {counts:?}; stopped: {:?}, misled: {:?}",
        fates.get(&Fate::Stopped),
        fates.get(&Fate::Misled)
    ));
}
