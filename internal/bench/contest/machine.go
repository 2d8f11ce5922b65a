package contest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/ringway/ringway/internal/servers"
)

// machine is where and with what a run was made.
type machine struct {
	cpu       string
	goVersion string // with system and architecture
	versions  string // of servers and clients
}

func describe(ctx context.Context, kinds []servers.Kind, modules []string) machine {
	var versions []string
	for _, kind := range kinds {
		versions = append(versions, string(kind)+" "+serverVersion(ctx, kind))
	}
	for _, path := range modules {
		versions = append(versions, path+" "+moduleVersion(path))
	}
	return machine{
		cpu:       fmt.Sprintf("%s (%d processors)", cpuName(), runtime.GOMAXPROCS(0)),
		goVersion: fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		versions:  strings.Join(versions, ", "),
	}
}

const unknown = "of unknown version"

// cpuName reads what Linux says of the first processor; other systems have no
// place where it could be read as easily.
func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "an unknown processor"
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

func serverVersion(ctx context.Context, kind servers.Kind) string {
	bin, err := servers.Find(kind)
	if err != nil {
		return unknown
	}
	text, err := exec.CommandContext(ctx, bin, "--version").Output()
	if number := versionNumber.Find(text); err == nil && number != nil {
		return string(number)
	}
	return unknown
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	return unknown
}
