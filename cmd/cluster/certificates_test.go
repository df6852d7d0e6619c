package cluster

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A clock that is set makes certificates invalid at any time, as here that one is lost.
func TestCertificatesAreLookedAtEveryHour(t *testing.T) {
	o := Options{DataDir: t.TempDir(), ControlPlaneOnly: true, NodeIP: "192.0.2.7"}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := &Cluster{options: o, url: "https://127.0.0.1:6443"}
		if err := c.ensureCertificates(); err != nil {
			t.Fatal(err)
		}
		first := c.certificates.Load()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.renewCertificates(ctx) }()
		synctest.Wait()
		serving := o.keyDir() + "/apiserver.crt"
		if err := os.Remove(serving); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookAgain + time.Minute)
		synctest.Wait()
		if _, err := os.Stat(serving); err != nil {
			t.Error(err)
		}
		if now := c.certificates.Load(); string(now.servingChain) == string(first.servingChain) {
			t.Error("the old certificate is served")
		}
		cancel()
		synctest.Wait()
	})
}
