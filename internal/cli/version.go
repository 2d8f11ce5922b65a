package cli

import (
	"runtime/debug"
	"strings"
)

// version is set by the linker in release builds: -ldflags "-X …".
var version string

// unrecorded is the version of a program that does not know what it was made of, as go
// run makes one.
const unrecorded = "devel (commit not recorded)"

// changedMark ends the version of a program whose files differed from the commit.
const changedMark = "+dirty"

// revisionShown is how many digits of a commit are shown.
const revisionShown = 12

// Version returns the version that the program was built from: a release, a
// pseudo-version of the commit, "devel-" and the commit, or "devel (commit not
// recorded)". "+dirty" at its end says that there were changes beside the commit.
func Version() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		info = &debug.BuildInfo{}
	}
	return versionOf(version, info)
}

func versionOf(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if revision == "" {
		return unrecorded
	}
	out := "devel-" + revision[:min(len(revision), revisionShown)]
	if changed {
		out += changedMark
	}
	return out
}

// CommitKnown reports whether a version tells which commit a program was built from.
func CommitKnown(version string) bool { return version != unrecorded }

// CommitChanged reports whether a version says that there were changes beside the commit.
func CommitChanged(version string) bool { return strings.HasSuffix(version, changedMark) }
