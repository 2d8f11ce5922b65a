package dataserver

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/ringway/ringway/membership"
)

// An endpoint is what a URL says.
type endpoint struct {
	scheme
	network, address string // to dial
	host             string // for TLS; empty with a Unix socket
	db               int
	username         string
	password         string
}

type scheme struct {
	urlScheme string
	kind      membership.Kind
	port      string // if the URL has none
	tls, unix bool
}

var schemes = map[string]scheme{
	"redis":          {kind: membership.Redis, port: "6379"},
	"rediss":         {kind: membership.Redis, port: "6379", tls: true},
	"redis+unix":     {kind: membership.Redis, unix: true},
	"memcached":      {kind: membership.Memcached, port: "11211"},
	"memcacheds":     {kind: membership.Memcached, port: "11211", tls: true},
	"memcached+unix": {kind: membership.Memcached, unix: true},
}

const wantURL = "want redis://[user:password@]host[:port][/database], rediss://…, redis+unix:///path[?db=database], " +
	"memcached://host[:port], memcacheds://… or memcached+unix:///path"

func (at endpoint) redis() bool { return at.kind == membership.Redis }

// announced is the address as members of the fleet are told it.
func (at endpoint) announced() string {
	if at.unix {
		return "unix://" + at.address
	}
	return at.address
}

// name is the server's name in errors.
func (at endpoint) name() string {
	name := string(at.kind) + " " + at.announced()
	if at.redis() {
		name += ", database " + strconv.Itoa(at.db)
	}
	return name
}

// parseURL never quotes the URL in an error, nor a part of it: where a URL is
// broken, a piece of the password can be anywhere, such as in what looks like
// the port of redis://user:secret.
func parseURL(raw string) (endpoint, error) {
	broken := func(problem string) (endpoint, error) {
		return endpoint{}, invalid("URL", "%s; %s (the URL is not shown: it may hold a password)", problem, wantURL)
	}
	prefix, _, found := strings.Cut(raw, "://")
	s, known := schemes[strings.ToLower(prefix)]
	switch {
	case raw == "":
		return broken("it is empty")
	case !found:
		return broken("it does not begin with a scheme and ://")
	case !known:
		return broken("its scheme is unknown")
	}
	s.urlScheme = strings.ToLower(prefix)
	u, err := url.Parse(raw)
	if err != nil {
		return broken("it cannot be parsed: is a character such as @ : / ? # % in a user name or password not written as %40 and so on")
	}
	at := endpoint{scheme: s, username: u.User.Username()}
	at.password, _ = u.User.Password()
	err = errors.Join(at.setPlace(u), at.setDatabase(u))
	switch {
	case err != nil:
		return broken(strings.ReplaceAll(err.Error(), "\n", " and "))
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return broken("it has a #")
	case !at.redis() && u.User != nil:
		return broken("it has a user name, and memcached's authentication is not supported")
	}
	return at, nil
}

func (at *endpoint) setPlace(u *url.URL) error {
	if at.unix {
		at.network, at.address = "unix", u.Path
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
			return errors.New("its path is not that of a socket, with three slashes in front")
		}
		return nil
	}
	at.network, at.host = "tcp", u.Hostname()
	if at.host == "" {
		return errors.New("it has no host")
	}
	port := u.Port()
	if port == "" {
		port = at.port
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("its port is not a number from 1 to 65535")
	}
	at.address = net.JoinHostPort(at.host, port)
	return nil
}

// setDatabase reads the number of the database from the path or from ?db=.
func (at *endpoint) setDatabase(u *url.URL) error {
	path := ""
	if !at.unix {
		path = strings.TrimPrefix(u.Path, "/")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) > 1 || len(query) == 1 && len(query["db"]) != 1 {
		return errors.New("its query is not just a db")
	}
	number := query.Get("db")
	switch {
	case path == "" && len(query) == 0:
		return nil
	case !at.redis():
		return errors.New("it has a database, and memcached knows none")
	case path != "" && len(query) > 0:
		return errors.New("it has a database in the path and in the query")
	case path != "":
		number = path
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return errors.New("its database is not a number from 0 on")
	}
	at.db = int(n)
	return nil
}
