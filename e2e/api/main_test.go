package api

import (
	"testing"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }
