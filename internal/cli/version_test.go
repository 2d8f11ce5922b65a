package cli

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	const revision = "8b3384e0123456789abcdef0123456789abcdef0"
	with := func(main string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: settings}
	}
	at := debug.BuildSetting{Key: "vcs.revision", Value: revision}
	changed, clean := debug.BuildSetting{Key: "vcs.modified", Value: "true"}, debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for _, c := range []struct {
		rule           string
		linked         string
		info           *debug.BuildInfo
		want           string
		known, changed bool
	}{
		{"a release says it itself", "v1.2.3", with("v0.0.0-20261122004023-9797bb6f16c3", at), "v1.2.3", true, false},
		{"go install of a version", "", with("v1.2.3"), "v1.2.3", true, false},
		{"go build in a clone", "", with("v0.0.0-20261122004023-9797bb6f16c3+dirty", at, changed), "v0.0.0-20261122004023-9797bb6f16c3+dirty", true, true},
		{"a build without a version, and with its commit", "", with("(devel)", at, clean), "devel-8b3384e01234", true, false},
		{"and with changes", "", with("(devel)", at, changed), "devel-8b3384e01234+dirty", true, true},
		{"a short revision", "", with("", debug.BuildSetting{Key: "vcs.revision", Value: "17"}), "devel-17", true, false},
		{"go run", "", with("(devel)"), "devel (commit not recorded)", false, false},
		{"a program without build information", "", &debug.BuildInfo{}, "devel (commit not recorded)", false, false},
	} {
		got := versionOf(c.linked, c.info)
		if got != c.want || CommitKnown(got) != c.known || CommitChanged(got) != c.changed {
			t.Errorf("%s: %q, commit known %v, changed %v; want %q, %v, %v", c.rule, got, CommitKnown(got), CommitChanged(got), c.want, c.known, c.changed)
		}
	}
}
