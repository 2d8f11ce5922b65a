package router

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

// Three memcached that speak TLS themselves, each with an authority of its own.
func TestMemcachedThatSpeaksTLS(t *testing.T) {
	var addresses []string
	all := x509.NewCertPool()
	var ours *servertest.Server
	for range 3 {
		ours = servertest.Start(t, servers.Config{Kind: servers.Memcached, TLS: true})
		addresses = append(addresses, ours.Addr())
		authority, err := os.ReadFile(filepath.Join(ours.Dir(), "ca.pem"))
		if err != nil || !all.AppendCertsFromPEM(authority) {
			t.Fatalf("ca.pem: %v", err)
		}
	}
	roundTrip(t, memcachedAt(t, Config{Node: NodeConfig{TLS: &tls.Config{RootCAs: all}}}, addresses...))

	strange := servertest.Start(t, servers.Config{Kind: servers.Memcached, TLS: true})
	for _, tt := range []struct {
		name string
		tls  *tls.Config
		want func(error) bool
		says string
	}{
		{"another authority", &tls.Config{RootCAs: strange.TLS().RootCAs}, is[x509.UnknownAuthorityError], "unknown authority"},
		{"another name", &tls.Config{RootCAs: ours.TLS().RootCAs, ServerName: "cache.example"}, is[x509.HostnameError], "cache.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := memcachedAt(t, Config{Node: NodeConfig{TLS: tt.tls}}, ours.Addr())
			_, err := m.Get(t.Context(), "k")
			var failed *NodeError
			if !errors.As(err, &failed) || !tt.want(err) {
				t.Fatalf("%v: want one that names the node and why its certificate is refused", err)
			}
			text := err.Error()
			if !strings.Contains(text, ours.Addr()) || strings.Count(text, tt.says) != 1 || strings.Contains(text, "\n") {
				t.Errorf("%q: want the address, and %q once", text, tt.says)
			}
		})
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
