package dataserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// secret has nothing that a URL would need to encode, and is like no word that
// occurs in an error.
const secret = "Tr0ub4dor"

func TestURL(t *testing.T) {
	for _, tt := range []struct {
		url, address, name string
		kind               membership.Kind
	}{
		{"redis://cache.example", "cache.example:6379", "redis cache.example:6379, database 0", membership.Redis},
		{"REDIS://h:1/", "h:1", "redis h:1, database 0", membership.Redis},
		{"redis://h:65535/7", "h:65535", "redis h:65535, database 7", membership.Redis},
		{"redis://h?db=7", "h:6379", "redis h:6379, database 7", membership.Redis},
		{"redis://u:p%40%2f%3a@[::1]:6380/1", "[::1]:6380", "redis [::1]:6380, database 1", membership.Redis},
		{"rediss://:p@h", "h:6379", "redis h:6379, database 0", membership.Redis},
		{"redis+unix:///run/a%20b.sock?db=2", "unix:///run/a b.sock", "redis unix:///run/a b.sock, database 2", membership.Redis},
		{"memcached://h", "h:11211", "memcached h:11211", membership.Memcached},
		{"memcached://[::1]:3/", "[::1]:3", "memcached [::1]:3", membership.Memcached},
		{"memcacheds://h", "h:11211", "memcached h:11211", membership.Memcached},
		{"memcached+unix:///s", "unix:///s", "memcached unix:///s", membership.Memcached},
	} {
		s := open(t, Config{URL: tt.url})
		if s.Address() != tt.address || s.Kind() != tt.kind || fmt.Sprint(s) != tt.name {
			t.Errorf("%s: got %s at %s, named %v", tt.url, s.Kind(), s.Address(), s)
		}
	}
}

// Wherever the password is in a URL that cannot be used, the error has no part
// of it.
func TestBadURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"", "it is empty"},
		{"h:6379", "a scheme and ://"},
		{"user:" + secret + "@h:6379", "a scheme and ://"},
		{secret + "://h", "scheme is unknown"},
		{"http://u:" + secret + "@h", "scheme is unknown"},
		{"redis://user:" + secret, "cannot be parsed"},
		{"redis://user:" + secret + "/x@h", "cannot be parsed"},
		{"redis://user:12/" + secret + "@h", "database is not a number"},
		{"redis://user:12?" + secret + "@h", "query is not just a db"},
		{"redis://user:12#" + secret + "@h", "it has a #"},
		{"redis://user:%zz" + secret + "@h", "cannot be parsed"},
		{"redis://u:" + secret + "@h\n", "cannot be parsed"},
		{"redis://u:" + secret + "@h:0", "port is not a number"},
		{"redis://u:" + secret + "@h:65536", "port is not a number"},
		{"redis://u:" + secret + "@h/-1", "database is not a number"},
		{"redis://h/1?db=1", "in the path and in the query"},
		{"redis://h?db=", "database is not a number"},
		{"redis://h?db=1&db=2", "query is not just a db"},
		{"redis://h?password=" + secret, "query is not just a db"},
		{"redis://u:" + secret + "@", "no host"},
		{"redis:///0", "no host"},
		{"redis://:6379", "no host"},
		{"redis+unix://run/s", "three slashes"},
		{"redis+unix:///", "three slashes"},
		{"redis+unix:///s?db=x", "database is not a number"},
		{"memcached://h/1", "memcached knows none"},
		{"memcached://h?db=1", "memcached knows none"},
		{"memcached://u:" + secret + "@h", "authentication is not supported"},
	} {
		s, err := Open(Config{URL: tt.url})
		if s != nil || !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, %v, want %q", tt.url, s, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the password is in %q", tt.url, err)
		}
		if !strings.Contains(err.Error(), "want redis://") {
			t.Errorf("%q: %q does not say what is expected", tt.url, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	t.Setenv("RINGWAY_TEST_EMPTY", "")
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"timeout", Config{Timeout: -time.Second}, "Timeout: got -1s"},
		{"rate", Config{Rate: -1}, "Rate: got -1"},
		{"two passwords", Config{URL: "redis://:" + secret + "@h", Password: secret}, "found in URL and Password"},
		{"more passwords", Config{Password: secret, PasswordFile: "f"}, "found in Password and PasswordFile"},
		{"two user names", Config{URL: "redis://u:" + secret + "@h", Username: "v"}, "a user name too"},
		{"no password", Config{Username: "u"}, "a user name without a password"},
		{"no password in the URL", Config{URL: "redis://" + secret + "@h"}, "a user name without a password"},
		{"no variable", Config{PasswordEnv: "RINGWAY_TEST_EMPTY"}, "PasswordEnv: the environment variable"},
		{"no file", Config{PasswordFile: dir + "/none"}, "PasswordFile: open"},
		{"empty file", Config{PasswordFile: file("empty", "\n")}, "got 1 bytes, want a password on one line"},
		{"two lines", Config{PasswordFile: file("two", secret+"\n"+secret)}, "want a password on one line"},
		{"long", Config{PasswordFile: file("long", strings.Repeat(secret, maxPassword))}, "want a password on one line"},
		{"memcached", Config{URL: "memcached://h", Password: secret}, "Password: got credentials for memcached"},
		{"TLS without TLS", Config{TLS: TLSFiles{CAFile: "x"}}, "TLS: got files or a name for redis://"},
		{"TLS of a socket", Config{URL: "redis+unix:///s", TLS: TLSFiles{ServerName: "x"}}, "redis+unix://"},
		{"no CA", Config{URL: "rediss://h", TLS: TLSFiles{CAFile: dir + "/none"}}, "TLS: open"},
		{"bad CA", Config{URL: "rediss://h", TLS: TLSFiles{CAFile: file("ca", secret)}}, "got no certificate in PEM form"},
		{"half a pair", Config{URL: "rediss://h", TLS: TLSFiles{CertFile: "x"}}, "want both or neither"},
		{"bad pair", Config{URL: "rediss://h", TLS: TLSFiles{CertFile: file("c", secret), KeyFile: file("k", secret)}}, "TLS: " + dir},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config.URL == "" {
				tt.config.URL = "redis://h"
			}
			s, err := Open(tt.config)
			if s != nil || !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, %v, want %q", s, err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestNothingPrintsThePassword(t *testing.T) {
	t.Setenv("RINGWAY_TEST_PASSWORD", secret)
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte(secret), 0o600))
	for _, config := range []Config{
		{URL: "redis://alice:" + secret + "@h:1/2"},
		{URL: "redis://alice:" + secret}, // broken
		{URL: "redis://h:1/2", Username: "alice", Password: secret},
		{URL: "redis://h:1/2", PasswordEnv: "RINGWAY_TEST_PASSWORD"},
		{URL: "redis://h:1/2", PasswordFile: file},
	} {
		shown := []any{config, &config, []Config{config}, struct{ C Config }{config}}
		if s, err := Open(config); err == nil {
			defer s.Close()
			shown = append(shown, s)
		}
		var text bytes.Buffer
		for _, v := range shown {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
				fmt.Fprintf(&text, verb+"\n", v)
			}
			encoded, err := json.Marshal(v)
			if err == nil {
				text.Write(encoded)
			}
			slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		}
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%d", []byte(secret))} {
			if strings.Contains(text.String(), form) {
				t.Errorf("the password is in %s", text.String())
			}
		}
		if !strings.Contains(text.String(), "Prefix") {
			t.Error("a Config does not print")
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"redis://u:p@h:1/2", "redis+unix:///s?db=1", "memcached://[::1]", "redis://u:p", "://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		at, err := parseURL(raw)
		if err != nil {
			return
		}
		if at.address == "" || at.db < 0 || at.network == "" || !at.unix && at.host == "" {
			t.Errorf("%q: got %+v", raw, at)
		}
		if u, err := url.Parse(raw); err != nil || u.Host == "" && !at.unix {
			t.Errorf("%q was accepted: %v", raw, err)
		}
	})
}
