package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Names of files in a server's folder.
const (
	logName   = "server.log"
	usersName = "users.acl"
	caName    = "ca.pem"
	certName  = "cert.pem"
	keyName   = "key.pem"
)

func (s *Server) args() []string {
	if s.config.Kind == Redis {
		return append(s.redisArgs(), s.config.Args...)
	}
	return append(s.memcachedArgs(), s.config.Args...)
}

func (s *Server) redisArgs() []string {
	file := func(name string) string { return filepath.Join(s.config.Dir, name) }
	args := []string{
		"--bind", "127.0.0.1", "--dir", s.config.Dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no",
		"--loglevel", "notice", "--logfile", "", // waitReady reads the output
	}
	if s.config.TLS {
		args = append(args, "--port", "0", "--tls-port", strconv.Itoa(s.port), "--tls-auth-clients", "optional",
			"--tls-ca-cert-file", file(caName), "--tls-cert-file", file(certName), "--tls-key-file", file(keyName))
	} else {
		args = append(args, "--port", strconv.Itoa(s.port))
	}
	if s.config.Users != nil {
		args = append(args, "--aclfile", file(usersName))
	}
	return args
}

func (s *Server) memcachedArgs() []string {
	args := []string{"-m", "64", "-U", "0"}
	if s.config.Unix {
		args = append(args, "-s", s.addr)
	} else {
		args = append(args, "-l", "127.0.0.1", "-p", strconv.Itoa(s.port))
	}
	if os.Geteuid() == 0 {
		args = append(args, "-u", "root") // it refuses to be root unless told so
	}
	if s.config.TLS {
		chain, key := filepath.Join(s.config.Dir, certName), filepath.Join(s.config.Dir, keyName)
		args = append(args, "-Z", "-o", "ssl_chain_cert="+chain, "-o", "ssl_key="+key)
	}
	return args
}

// writeUsers writes the ACL file. Users are not given as arguments: those can
// be read by everyone on the machine, and ACL SAVE needs a file.
func (s *Server) writeUsers() error {
	if s.config.Users == nil {
		return nil
	}
	var lines strings.Builder
	for _, user := range s.config.Users {
		if strings.ContainsAny(user, "\r\n") {
			return fmt.Errorf("servers: %s: users: a rule of more than one line", s.config.Kind)
		}
		lines.WriteString("user " + user + "\n")
	}
	return os.WriteFile(filepath.Join(s.config.Dir, usersName), []byte(lines.String()), 0o600)
}
