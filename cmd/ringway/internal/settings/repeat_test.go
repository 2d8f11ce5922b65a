package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A fresh command that repeats the command line of another, and loads, has what the
// other had, but for what the file says anew.
func TestRepeat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id: from-file\nweight: 2\ncopies: 3\njoin: [x, y]\n")
	args := []string{"--config", file, "--copies", "2", "--join", "a,b", "--join", "c", "--leave-timeout", "90s", "--purge"}
	environ := []string{"RINGWAY_SERVER=redis://h"}
	first, s, err := load(t, args, environ)
	if err != nil {
		t.Fatal(err)
	}
	again := func() (values, *Settings) {
		t.Helper()
		var v values
		cmd := command(&v)
		if err := s.Repeat(cmd); err != nil {
			t.Fatal(err)
		}
		fresh, err := Load(cmd, environ)
		if err != nil {
			t.Fatal(err)
		}
		return v, fresh
	}
	same, fresh := again()
	same.format, first.format = nil, nil
	if !reflect.DeepEqual(same, first) || len(s.Differing(fresh)) != 0 {
		t.Errorf("%+v, want %+v; differing %q", same, first, s.Differing(fresh))
	}
	if got := fresh.Where("join"); got != "--join" {
		t.Errorf("join comes from %s", got)
	}

	write("weight: 4\ncopies: 9\njoin: [z]\n")
	other, fresh := again()
	if other.weight != 4 || other.copies != 2 || other.id != "" || strings.Join(other.join, " ") != "a b c" || other.url != "redis://h" {
		t.Errorf("%+v", other)
	}
	if got := strings.Join(s.Differing(fresh), " "); got != "id weight" {
		t.Errorf("differing: %s", got)
	}
	if got := strings.Join(fresh.Differing(s), " "); got != "id weight" {
		t.Errorf("differing the other way: %s", got)
	}
}
