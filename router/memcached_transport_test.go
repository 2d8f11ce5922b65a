package router

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestMemcachedOverUnixSockets(t *testing.T) {
	var addresses []string
	for range 3 {
		s := servertest.Start(t, servers.Config{Kind: servers.Memcached, Unix: true})
		addresses = append(addresses, "unix://"+s.Addr())
	}
	roundTrip(t, memcachedAt(t, Config{}, addresses...))
}

// A memcached need not be built with TLS: proxies end it.
func TestMemcachedOverTLS(t *testing.T) {
	certificate, trusted := certificateOf(t)
	var addresses []string
	for range 3 {
		addresses = append(addresses, endTLS(t, certificate, servertest.Memcached(t).Addr()))
	}
	by := func(trust *tls.Config) Config { // a handshake computes much
		node := patient
		node.TLS = trust
		return Config{Node: node}
	}
	roundTrip(t, memcachedAt(t, by(&tls.Config{RootCAs: trusted}), addresses...))

	var failed *NodeError
	strange := memcachedAt(t, by(&tls.Config{}), addresses...)
	var unknown *tls.CertificateVerificationError
	if err := strange.Set(t.Context(), Item{Key: "k"}); !errors.As(err, &failed) || !errors.As(err, &unknown) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	plain := memcachedAt(t, Config{}, addresses...)
	if err := plain.Set(t.Context(), Item{Key: "k"}); !errors.As(err, &failed) {
		t.Errorf("a client without TLS: %v", err)
	}
}

// roundTrip uses all nodes, one key at a time, in batches and all at once.
func roundTrip(t *testing.T, m *Memcached) {
	t.Helper()
	ctx := t.Context()
	keys, items := keysAndItems(100)
	if err := errors.Join(m.Ping(ctx), m.SetMulti(ctx, items)); err != nil {
		t.Fatal(err)
	}
	if got, err := m.GetMulti(ctx, keys); len(got) != len(keys) || err != nil {
		t.Errorf("got %d items, %v", len(got), err)
	}
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			if item, err := m.Get(ctx, keys[i]); err != nil || string(item.Value) != fmt.Sprint("value", i) {
				t.Errorf("%s: %+v, %v", keys[i], item, err)
			}
		})
	}
	wait.Wait()
	for _, s := range m.Stats() {
		if s.Operations < 3 || s.Errors != (ErrorCounts{}) {
			t.Errorf("node %s: %+v", s.Node, s)
		}
	}
	if err := m.DeleteMulti(ctx, keys); err != nil {
		t.Error(err)
	}
}

// certificateOf returns a certificate of 127.0.0.1, and who vouches for it.
func certificateOf(t *testing.T) (tls.Certificate, *x509.CertPool) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	return s.TLS.Certificates[0], trusted
}

// endTLS returns the address of a proxy that speaks TLS to its clients and none to
// the server.
func endTLS(t *testing.T, certificate tls.Certificate, server string) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
				running.Go(func() {
					defer pair[0].Close()
					defer pair[1].Close()
					io.Copy(pair[0], pair[1]) // either end may close it
				})
			}
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}
