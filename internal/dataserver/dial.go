package dataserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"
)

// A dialer opens connections to one server, with TLS if that is wanted.
type dialer struct {
	at      endpoint
	files   TLSFiles
	timeout time.Duration
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, d.at.network, d.at.address)
	if err != nil || !d.at.tls {
		return nc, err
	}
	config, err := d.files.load(d.at.host)
	if err == nil {
		t := tls.Client(nc, config)
		if err = t.HandshakeContext(ctx); err == nil {
			return t, nil
		}
	}
	_ = nc.Close()
	return nil, fmt.Errorf("TLS: %w", err)
}

// load reads the files as they are now.
func (t TLSFiles) load(host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if config.ServerName == "" {
		config.ServerName = host
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: got no certificate in PEM form, want at least one", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", t.CertFile, t.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
