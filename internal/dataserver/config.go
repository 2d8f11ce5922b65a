package dataserver

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// DefaultTimeout is what a Timeout of zero stands for.
const DefaultTimeout = time.Second

// workFactor is by how much an exchange of a walk may take longer than Timeout:
// a walk that has run for an hour need not end because the server paused for a
// second, as it does when it forks.
const workFactor = 10

// Config says which server, and which of its keys. URL is required; the zero
// value of everything else is a sound choice.
type Config struct {
	// URL of the server:
	//
	//	redis://[user:password@]host[:port][/database]
	//	rediss://…                                      with TLS
	//	redis+unix:///path/to/socket[?db=database]
	//	memcached://host[:port]
	//	memcacheds://host[:port]                        with TLS
	//	memcached+unix:///path/to/socket
	//
	// The port is 6379 or 11211 if there is none, the database 0. Characters
	// such as @ : / ? # in a user name or a password are written as %40 and so on.
	URL string

	// Username and Password for Redis, in place of those of the URL. A password
	// without a user name is that of the default user. Memcached's
	// authentication is not supported.
	Username, Password string

	// PasswordEnv names an environment variable that holds the password,
	// PasswordFile a file that does, on a single line. The file is read again
	// for every connection: a new password takes effect without a restart. At
	// most one of the four places may have a password.
	PasswordEnv, PasswordFile string

	// TLS belongs to rediss:// and memcacheds://.
	TLS TLSFiles

	// Prefix limits Count, Purge and Sweep to the keys that begin with it, byte
	// by byte. Empty: all keys of the database.
	Prefix string

	// Timeout bounds one exchange with the server, the opening of a connection
	// included; those of a walk over the keys have ten times as long. 0 means
	// DefaultTimeout.
	Timeout time.Duration

	// Rate is how many keys a second a Redis server is asked for at most, and a
	// memcached asked to remove, in Count, Purge and Sweep. 0: no limit.
	Rate int
}

// TLSFiles names PEM files. They are read again for every connection, so that a
// renewed certificate takes effect without a restart.
type TLSFiles struct {
	CAFile            string // who vouches for the server; empty: those the system trusts
	CertFile, KeyFile string // what the client shows; both or neither
	ServerName        string // the name in the server's certificate; empty: the host of the URL
}

// String prints the configuration for people, with what may hold a password
// left out.
func (c Config) String() string {
	at, err := parseURL(c.URL)
	url := "hidden"
	if err == nil {
		url = at.name()
	}
	return fmt.Sprintf("{URL:%s Username:%q Password:%s PasswordEnv:%s PasswordFile:%q TLS:{CAFile:%q CertFile:%q KeyFile:%q ServerName:%q} Prefix:%q Timeout:%v Rate:%d}",
		url, c.Username, hidden(c.Password), hidden(c.PasswordEnv), c.PasswordFile,
		c.TLS.CAFile, c.TLS.CertFile, c.TLS.KeyFile, c.TLS.ServerName, c.Prefix, c.Timeout, c.Rate)
}

// Format is String whatever the verb, since some print the fields.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText is String, for encoding/json and log/slog. There is no way back.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func hidden(secret string) string {
	if secret == "" {
		return "none"
	}
	return "hidden"
}

func invalid(field, problem string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrInvalidConfig, field, fmt.Sprintf(problem, args...))
}

// checked returns the Config with its zero fields filled, and what its URL says.
func (c Config) checked() (Config, endpoint, error) {
	at, err := parseURL(c.URL)
	if err != nil {
		return c, at, err
	}
	if c.Timeout < 0 {
		return c, at, invalid("Timeout", "got %v, want a duration above 0, or 0 for %v", c.Timeout, DefaultTimeout)
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Rate < 0 {
		return c, at, invalid("Rate", "got %d, want a number of keys a second, or 0 for no limit", c.Rate)
	}
	return c, at, c.TLS.check(at)
}

func (t TLSFiles) check(at endpoint) error {
	if !at.tls && t != (TLSFiles{}) {
		return invalid("TLS", "got files or a name for %s://, which is not encrypted: want rediss:// or memcacheds://", at.urlScheme)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return invalid("TLS", "got CertFile %q and KeyFile %q, want both or neither", t.CertFile, t.KeyFile)
	}
	if _, err := t.load(at.host); err != nil {
		return invalid("TLS", "%v", err)
	}
	return nil
}

// credentials are asked for before each connection.
type credentials struct {
	username, password string
	file               string // has the password, if not empty
}

// credentials finds the one place that has a password.
func (c Config) credentials(at endpoint) (credentials, error) {
	var where []string
	found := credentials{username: at.username}
	for _, place := range []struct{ name, value string }{
		{"URL", at.password}, {"Password", c.Password}, {"PasswordEnv", c.PasswordEnv}, {"PasswordFile", c.PasswordFile},
	} {
		if place.value != "" {
			where = append(where, place.name)
			found.password = place.value
		}
	}
	if c.Username != "" {
		if at.username != "" {
			return found, invalid("Username", "the URL has a user name too, want one of them")
		}
		found.username = c.Username
	}
	switch {
	case len(where) > 1:
		return found, invalid("Password", "found in %s, want one of them", strings.Join(where, " and "))
	case len(where) == 0 && found.username != "":
		return found, invalid("Username", "got a user name without a password")
	case len(where) == 0:
		return found, nil
	case !at.redis():
		return found, invalid(where[0], "got credentials for memcached, whose authentication is not supported")
	case c.PasswordEnv != "":
		if found.password = os.Getenv(c.PasswordEnv); found.password == "" {
			return found, invalid("PasswordEnv", "the environment variable of that name is not set, or empty")
		}
	case c.PasswordFile != "":
		found.file, found.password = c.PasswordFile, ""
		if _, err := found.now(); err != nil {
			return found, invalid("PasswordFile", "%v", err)
		}
	}
	return found, nil
}

const maxPassword = 64 << 10 // bytes

// now returns the password for a connection that is about to be opened.
func (c credentials) now() (password string, err error) {
	if c.file == "" {
		return c.password, nil
	}
	f, err := os.Open(c.file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return "", err
	}
	password = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if password == "" || len(content) > maxPassword || strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("password file %s: got %d bytes, want a password on one line", c.file, len(content))
	}
	return password, nil
}
