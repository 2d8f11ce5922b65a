package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/cli"
)

// A file that cannot be written is refused before anything is simulated.
func TestCheckOutput(t *testing.T) {
	folder := t.TempDir()
	if err := checkOutput("json", filepath.Join(folder, "report.json"), "a file"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "-", folder, filepath.Join(folder, "none", "x"), filepath.Join(folder, strings.Repeat("x", 300))} {
		if err := checkOutput("json", name, "a file"); !errors.As(err, new(*cli.UsageError)) {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}
