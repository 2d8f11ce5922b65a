package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is checked is neither changed nor made.
func TestCheckFile(t *testing.T) {
	folder := t.TempDir()
	there := filepath.Join(folder, "there")
	if err := os.WriteFile(there, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{
		there: true, filepath.Join(folder, "new"): true, os.DevNull: true,
		filepath.Join(folder, "none", "x"): false, filepath.Join(folder, strings.Repeat("x", 300)): false,
	} {
		if err := CheckFile(name); (err == nil) != good {
			t.Errorf("%.60q: %v", name, err)
		}
	}
	entries, err := os.ReadDir(folder)
	text, errRead := os.ReadFile(there)
	if err != nil || errRead != nil || len(entries) != 1 || string(text) != "as it was" {
		t.Errorf("%v, %v, %d files, %q", err, errRead, len(entries), text)
	}
}
