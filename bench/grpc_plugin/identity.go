package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"google.golang.org/grpc/credentials"
)

// host is the name in both certificates.
const host = "localhost"

// identity is a key that was made just now, and a certificate that it signed itself.
type identity struct{ certificate tls.Certificate }

func newIdentity() (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: host},
		DNSNames:              []string{host},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

func (own *identity) der() []byte { return own.certificate.Certificate[0] }

func (own *identity) serverCredentials(trusted []byte) (credentials.TransportCredentials, error) {
	pool, err := poolOf(trusted)
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own.certificate},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	}), err
}

func (own *identity) clientCredentials(trusted []byte) (credentials.TransportCredentials, error) {
	pool, err := poolOf(trusted)
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own.certificate},
		RootCAs:      pool,
		ServerName:   host,
		MinVersion:   tls.VersionTLS12,
	}), err
}

func poolOf(der []byte) (*x509.CertPool, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool, nil
}
