package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
)

const (
	unixScheme = "unix://"

	maxWait = agentapi.MaxWait

	headerTimeout   = 5 * time.Second
	bodyTimeout     = 10 * time.Second
	writeTimeout    = maxWait + 15*time.Second // the request's wait included
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
)

// shown is where others reach what is listened on, as gossip takes it; empty if
// they cannot: a socket of this machine.
func (cfg HTTPConfig) shown(l net.Listener) string {
	scheme := "http://"
	if cfg.CertFile != "" {
		scheme = "https://"
	}
	if l == nil || l.Addr().Network() == "unix" {
		return ""
	}
	at := cfg.Advertise
	if at == "" {
		bound, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			return ""
		}
		if at = bound.String(); bound.Addr().IsUnspecified() {
			at = fmt.Sprintf(":%d", bound.Port()) // at the host where the agent gossips
		}
	}
	return scheme + at
}

// listen opens the address for HTTP; nil if there is none.
func listen(ctx context.Context, cfg HTTPConfig) (net.Listener, error) {
	if cfg.Address == "" {
		return nil, nil
	}
	wrap, err := encrypted(cfg)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if path, isUnix := strings.CutPrefix(cfg.Address, unixScheme); isUnix {
		l, err = listenUnix(ctx, path)
	} else {
		l, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("agent: HTTP: %w", err)
	}
	return wrap(l), nil
}

// listenUnix opens a socket for the agent's user and group. One that is left over
// from a process that ended without a word is replaced.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("%s: somebody answers there already", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// encrypted returns what makes a listener one for TLS, if that is wanted.
func encrypted(cfg HTTPConfig) (func(net.Listener) net.Listener, error) {
	if cfg.CertFile == "" && cfg.KeyFile == "" {
		return func(l net.Listener) net.Listener { return l }, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, fmt.Errorf("agent: HTTP: certificate %q, key %q: %w", cfg.CertFile, cfg.KeyFile, err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		// Read each time, so that a renewed one takes effect without a restart.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}
	return func(l net.Listener) net.Listener { return tls.NewListener(l, config) }, nil
}

// serve answers HTTP until a.stop is called. An error is that of a listener that
// was lost.
func (a *Agent) serve(work *sync.WaitGroup) <-chan error {
	lost := make(chan error, 1)
	if a.listener == nil {
		return lost
	}
	s := &http.Server{
		Handler:           a.front.handler(),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	work.Go(func() {
		if err := s.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) && a.front.closing.Err() == nil {
			lost <- fmt.Errorf("agent: HTTP: %w", err)
		}
	})
	work.Go(func() {
		<-a.front.closing.Done()
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	})
	return lost
}
