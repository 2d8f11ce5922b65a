package layout

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/ringway/ringway"

// A rule is what the packages of one folder may depend on. Dependencies count
// whether they are direct or not, unless the rule says otherwise: what comes in
// through a third package is in the program all the same.
type rule struct {
	// ours are the folders of this module that may be used; its own always may.
	ours []string

	// outside are the packages from outside the standard library that may be
	// used. nil: all of them, except what libraries must not use.
	outside []string

	// never are packages that must not be depended on, with all below them.
	never []string

	// direct are packages that must not be imported, neither here nor by an
	// internal package in use here. Through others they may come in: fmt depends
	// on os, os on time and sync.
	direct []string

	// only are packages from outside that a single package of the folder may
	// depend on, with all below them, and the others must not.
	only map[string]string

	// publicOnly: no internal package may be imported directly.
	publicOnly bool

	// except are single packages that may import what direct forbids.
	except map[string][]string
}

var rules = map[string]rule{
	// A placement is a function of its nodes, its configuration and the key:
	// without network, clock, lock, randomness or environment there is nothing
	// that could make two clients disagree, or a lookup wait.
	"ring": {
		ours:    []string{"internal"},
		outside: []string{"github.com/cespare/xxhash/v2", "github.com/spaolacci/murmur3"},
		never:   []string{"net", "context"},
		direct: []string{"time", "sync", "os", "log", "log/slog", "runtime", "syscall",
			"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash"},
		// The one placement with a state: it counts the requests in flight.
		except: map[string][]string{"ring/bounded": {"sync"}},
	},
	// A client needs the views of a source, not what each source is made of.
	"membership": {
		ours: []string{"ring", "internal"},
		only: map[string]string{
			"github.com/hashicorp":     "membership/gossip",
			"github.com/goccy/go-yaml": "membership/file",
		},
	},
	// Who wants a client need not take a metrics or tracing library with it, nor
	// gossip or YAML.
	"router": {
		ours:  []string{"ring", "membership", "internal"},
		never: []string{"github.com/hashicorp", "github.com/goccy/go-yaml"},
		only: map[string]string{
			"github.com/prometheus": "router/metrics",
			"go.opentelemetry.io":   "router/tracing",
		},
	},
	"rebalance": {
		ours:  []string{"ring", "membership", "router", "internal"},
		never: []string{"github.com/hashicorp", "github.com/goccy/go-yaml"},
	},
	// A cache knows the router through its Store, and leaves metrics, gossip and
	// everything else to whoever wants them.
	"cache": {
		ours:  []string{"ring", "membership", "router", "internal"},
		never: []string{"github.com/goccy/go-yaml"},
		only: map[string]string{
			"github.com/hashicorp":  "cache/gossipbus",
			"github.com/prometheus": "cache/metrics",
			"go.opentelemetry.io":   "cache/tracing",
			"go.etcd.io":            "cache/journal/local",
		},
	},
	"simulations": {ours: []string{"ring", "membership", "internal"}, direct: []string{"net", "net/http"}},
	"cmd":         {ours: []string{"ring", "membership", "router", "rebalance", "cache", "simulations", "internal"}},
	// An example shows what users can do, who have no internal packages.
	"examples": {ours: []string{"ring", "membership", "router", "rebalance", "cache", "simulations", "internal"}, publicOnly: true},
	// What an internal package depends on is held by the rule of whoever uses it.
	"internal": {ours: []string{"ring", "membership", "router", "rebalance", "cache", "simulations"}},
}

// libraries are the folders that other programs import. A program that wants a
// ring must not be given a command line with it.
var libraries = []string{"ring", "membership", "router", "rebalance", "cache", "simulations"}

var commandLine = []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/schollz/progressbar/v3",
	"github.com/alicebob/miniredis", "github.com/yuin/gopher-lua"} // the embedded servers of ringway demo

// A goPackage is what go list says of a package, its tests left out.
type goPackage struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // direct and indirect
}

// violations returns a line for each broken rule, in the order of the packages.
func violations(packages []goPackage) []string {
	imports := make(map[string][]string)
	for _, p := range packages {
		imports[p.ImportPath] = p.Imports
	}
	var found []string
	for _, p := range packages {
		folder := folderOf(p.ImportPath)
		r, known := rules[folder]
		if !known {
			found = append(found, fmt.Sprintf("%s: no rule for folder %q: write one in internal/layout", p.ImportPath, folder))
			continue
		}
		for _, dep := range p.Deps {
			if why := r.forbids(folder, dep); why != "" {
				found = append(found, fmt.Sprintf("%s depends on %s: %s", p.ImportPath, dep, why))
			}
			if may := r.reserved(p.ImportPath, dep); may != "" {
				found = append(found, fmt.Sprintf("%s depends on %s: only %s may", p.ImportPath, dep, may))
			}
			if isOurs(dep) && folderOf(dep) == "internal" {
				found = append(found, r.forbidsDirect(folder, dep, imports[dep])...)
			}
		}
		found = append(found, r.forbidsDirect(folder, p.ImportPath, p.Imports)...)
	}
	return found
}

func (r rule) forbidsDirect(folder, importer string, imports []string) (found []string) {
	for _, path := range imports {
		exceptions := r.except[strings.TrimPrefix(importer, module+"/")]
		if slices.Contains(r.direct, path) && !slices.Contains(exceptions, path) {
			found = append(found, fmt.Sprintf("%s imports %s: %s must not", importer, path, folder))
		}
		if r.publicOnly && folderOf(importer) == folder && isOurs(path) && folderOf(path) == "internal" {
			found = append(found, fmt.Sprintf("%s imports %s: %s must not", importer, path, folder))
		}
	}
	return found
}

// reserved returns the package that a dependency is reserved for, if that is
// another one.
func (r rule) reserved(importer, dep string) string {
	for root, may := range r.only {
		if under([]string{root}, dep) && importer != module+"/"+may {
			return may
		}
	}
	return ""
}

func (r rule) forbids(folder, dep string) (why string) {
	switch {
	case isOurs(dep):
		if f := folderOf(dep); f != folder && !slices.Contains(r.ours, f) {
			return fmt.Sprintf("%s may use %s of this module", folder, orNothing(r.ours))
		}
	case under(r.never, dep):
		return folder + " must stay free of it"
	case isStandard(dep):
	case r.outside != nil && !under(r.outside, dep):
		return fmt.Sprintf("%s may use %s beside the standard library", folder, orNothing(r.outside))
	case slices.Contains(libraries, folder) && under(commandLine, dep):
		return "a library must not bring in what only a command line needs"
	}
	return ""
}

func isOurs(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// folderOf returns the first element of a package's path within the module.
func folderOf(path string) string {
	folder, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), "/")
	return folder
}

// isStandard reports whether a package belongs to the standard library: the
// first element of such a path has no dot. Those below "vendor" are copies that
// the standard library keeps of golang.org/x.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// under reports whether path is one of the roots or below one.
func under(roots []string, path string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing else"
	}
	return "only " + strings.Join(list, ", ")
}
