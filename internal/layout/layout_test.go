package layout

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.." // of the module

// TestImports holds the rules of rules_test.go against the packages that are
// there.
func TestImports(t *testing.T) {
	touchSources(t)
	packages := listPackages(t)
	if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == module+"/ring" }) {
		t.Fatalf("go list found %d packages, ring not among them: nothing was checked", len(packages))
	}
	for _, v := range violations(packages) {
		t.Error(v)
	}
}

// TestRules makes sure that each rule can fail.
func TestRules(t *testing.T) {
	tests := []struct {
		pkg  string // in this module
		dep  string // "…/x" is in this module
		want string // part of the complaint; "" if there must be none
	}{
		{"ring", "fmt", ""},
		{"ring", "github.com/cespare/xxhash/v2", ""},
		{"ring/maglev", "…/ring", ""},
		{"ring", "…/membership", "ring may use only internal of this module"},
		{"ring/jump", "…/internal/x", ""},
		{"ring", "gonum.org/v1/gonum/stat", "may use only github.com/cespare/xxhash/v2"},
		{"ring", "golang.org/x/sys/unix", "beside the standard library"},
		{"ring/balanced", "net", "must stay free of it"},
		{"ring/balanced", "net/netip", "must stay free of it"},
		{"ring", "context", "must stay free of it"},
		{"ring", "network", ""},
		{"membership", "…/ring/balanced", ""},
		{"membership", "net", ""},
		{"membership", "…/router", "membership may use only ring, internal"},
		{"membership/gossip", "…/simulations", "may use only"},
		{"membership/gossip", "github.com/hashicorp/memberlist", ""},
		{"membership", "github.com/hashicorp/go-metrics", "only membership/gossip may"},
		{"membership/dns", "github.com/goccy/go-yaml/ast", "only membership/file may"},
		{"router", "github.com/hashicorp/memberlist", "must stay free of it"},
		{"router", "github.com/goccy/go-yaml", "must stay free of it"},
		{"rebalance", "github.com/hashicorp/memberlist", "must stay free of it"},
		{"cache", "github.com/hashicorp/memberlist", "only cache/gossipbus may"},
		{"cache/gossipbus", "github.com/hashicorp/memberlist", ""},
		{"cache", "github.com/prometheus/client_golang/prometheus", "only cache/metrics may"},
		{"cache/metrics", "github.com/prometheus/client_golang/prometheus", ""},
		{"cache/metrics", "go.opentelemetry.io/otel", "only cache/tracing may"},
		{"cache", "go.etcd.io/bbolt", "only cache/journal/local may"},
		{"cache/journal/streams", "go.etcd.io/bbolt", "only cache/journal/local may"},
		{"cache/journal/local", "go.etcd.io/bbolt", ""},
		{"cache/tracing", "go.opentelemetry.io/otel", ""},
		{"router", "…/membership", ""},
		{"router", "…/rebalance", "may use only"},
		{"router", "…/cache", "may use only"},
		{"rebalance", "…/router", ""},
		{"rebalance", "…/cache", "may use only"},
		{"cache", "…/router", ""},
		{"cache", "…/rebalance", "may use only"},
		{"simulations", "…/ring/ketama", ""},
		{"simulations", "…/router", "may use only"},
		{"simulations", "…/cmd/ringsim", "may use only"},
		{"simulations", "github.com/spf13/cobra", "only a command line needs"},
		{"router", "github.com/spf13/pflag", "only a command line needs"},
		{"rebalance", "github.com/alicebob/miniredis/v2/server", "only a command line needs"},
		{"router", "github.com/redis/go-redis/v9", ""},
		{"router", "github.com/prometheus/client_golang/prometheus", "only router/metrics may"},
		{"router/memcache", "github.com/prometheus/common/model", "only router/metrics may"},
		{"router/metrics", "github.com/prometheus/client_golang/prometheus", ""},
		{"router/metrics", "go.opentelemetry.io/otel", "only router/tracing may"},
		{"router/tracing", "go.opentelemetry.io/otel", ""},
		{"cmd/ringsim", "github.com/spf13/cobra", ""},
		{"cmd/ringsim", "…/rebalance", ""},
		{"cmd/ringsim", "…/examples/x", "may use only"},
		{"examples/x", "…/internal/cli", ""},
		{"examples/x", "…/cmd/ringsim", "may use only"},
		{"internal/cli", "…/simulations", ""},
		{"internal/cli", "…/cmd/ringsim", "may use only"},
		{"later", "fmt", "no rule for folder"},
	}
	for _, tt := range tests {
		dep := strings.Replace(tt.dep, "…", module, 1)
		got := strings.Join(violations([]goPackage{{ImportPath: module + "/" + tt.pkg, Deps: []string{dep}}}), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s on %s: got %q, want %q", tt.pkg, tt.dep, got, tt.want)
		}
	}
	for _, tt := range []struct{ pkg, dep, want string }{
		{"ring", "sync/atomic", ""},
		{"ring", "sync", "imports sync"},
		{"ring/jump", "sync", "imports sync"},
		{"ring/bounded", "sync", ""},
		{"ring/bounded", "time", "imports time"},
		{"ring", "math/rand/v2", "imports math/rand/v2"},
		{"simulations", "net/http", "imports net/http"},
		{"simulations", "time", ""},
		{"examples/x", module + "/internal/cli", "imports " + module + "/internal/cli"},
		{"examples/x", module + "/router", ""},
	} {
		got := strings.Join(violations([]goPackage{{ImportPath: module + "/" + tt.pkg, Imports: []string{tt.dep}}}), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: got %q, want %q", tt.pkg, tt.dep, got, tt.want)
		}
	}
	// An internal package does not hide what it imports.
	const inner = module + "/internal/x"
	got := violations([]goPackage{
		{ImportPath: module + "/ring", Imports: []string{inner}, Deps: []string{inner, "sync"}},
		{ImportPath: inner, Imports: []string{"sync"}},
	})
	if len(got) != 1 || !strings.Contains(got[0], inner+" imports sync: ring must not") {
		t.Errorf("ring on an internal package that imports sync: got %q", got)
	}
}

// TestRingStartsNoGoroutine reads the sources, since a go statement needs no
// import.
func TestRingStartsNoGoroutine(t *testing.T) {
	files := 0
	eachSource(t, filepath.Join(root, "ring"), func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range goStatements(t, path, source) {
			t.Errorf("%s: a goroutine in a package that has none", at)
		}
		files++
	})
	if files == 0 {
		t.Fatal("no sources under ring: nothing was checked")
	}
	const guilty = "package p\nfunc f() { defer func() { go f() }() }\n"
	if got := goStatements(t, "guilty.go", []byte(guilty)); len(got) != 1 {
		t.Errorf("a source with one go statement: found %d", len(got))
	}
}

func goStatements(t *testing.T, path string, source []byte) (positions []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, found := n.(*ast.GoStmt); found {
			positions = append(positions, files.Position(s.Pos()).String())
		}
		return true
	})
	return positions
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// touchSources looks at every source of the module. go test remembers which
// files a test looked at, and runs it again when one of them has changed; what
// go list reads it does not see, and would repeat an old "ok".
func touchSources(t *testing.T) {
	t.Helper()
	eachSource(t, root, func(path string) {
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
	})
}

func eachSource(t *testing.T, dir string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
