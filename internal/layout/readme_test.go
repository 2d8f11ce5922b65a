package layout

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestREADMECompiles holds the Go of the README against the packages that are
// there: what is copied from it must build.
func TestREADMECompiles(t *testing.T) {
	touchSources(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlocks(string(readme))
	if len(blocks) == 0 {
		t.Fatal("no Go in the README: nothing was checked")
	}
	if out, err := buildSnippets(t, blocks); err != nil {
		t.Errorf("the README's Go does not build: %v\n%s", err, out)
	}
	for _, bad := range []string{"x := ring.Nope()\n", "unused := 1\n", "return 3\n", "owner :=\n"} {
		if _, err := buildSnippets(t, []string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// goBlocks returns the text of the fenced blocks of Go.
func goBlocks(markdown string) (blocks []string) {
	for rest := markdown; ; {
		_, after, found := strings.Cut(rest, "\n```go\n")
		if !found {
			return blocks
		}
		block, next, _ := strings.Cut(after, "\n```")
		blocks, rest = append(blocks, block+"\n"), next
	}
}

// buildSnippets builds each snippet as the body of a function, in a package that
// only this call of go sees: the overlay puts it into the module without
// writing there.
func buildSnippets(t *testing.T, snippets []string) (output string, err error) {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	packages := listPackages(t)
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for i, snippet := range snippets {
		name := fmt.Sprintf("snippet%d.go", i+1)
		source := snippetSource(packages, i+1, snippet)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(here, "examples", "readme", name)] = filepath.Join(dir, name)
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", file, "./examples/readme")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// snippetSource wraps a snippet into a function that may return an error, with
// the imports that it needs. A snippet that is a whole file stays as it is.
func snippetSource(packages []goPackage, number int, snippet string) string {
	if strings.HasPrefix(snippet, "package ") {
		return snippet
	}
	body := fmt.Sprintf("func snippet%d() error {\n%s\nreturn nil\n}\n", number, snippet)
	file, err := parser.ParseFile(token.NewFileSet(), "snippet.go", "package readme\n"+body, 0)
	if err != nil {
		return "package readme\n" + body // the compiler says what is wrong
	}
	unresolved := make(map[*ast.Ident]bool)
	for _, name := range file.Unresolved {
		unresolved[name] = true
	}
	imports := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, found := n.(*ast.SelectorExpr); found {
			if name, plain := selector.X.(*ast.Ident); plain && unresolved[name] {
				imports[importPath(packages, name.Name)] = true
			}
		}
		return true
	})
	var head strings.Builder
	head.WriteString("package readme\n")
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&head, "import %q\n", p)
	}
	return head.String() + body
}

// importPath returns the package of this module with that name, else the name:
// that of a package of the standard library.
func importPath(packages []goPackage, name string) string {
	for _, p := range packages {
		if path.Base(p.ImportPath) == name && slices.Contains(libraries, folderOf(p.ImportPath)) {
			return p.ImportPath
		}
	}
	return name
}
