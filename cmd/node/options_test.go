package node

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestOptionsRefuseWhatCannotWork(t *testing.T) {
	for name, test := range map[string]struct {
		o    Options
		want string // in the error; "" for none
	}{
		"a name":                        {Options{Name: "n"}, ""},
		"a name with a space":           {Options{Name: "my node"}, "--node-name"},
		"an address":                    {Options{Name: "n", IP: "192.0.2.7"}, ""},
		"an address that is no":         {Options{Name: "n", IP: "me"}, "--node-ip"},
		"every address":                 {Options{Name: "n", IP: "0.0.0.0"}, "--node-ip"},
		"an IPv6 address":               {Options{Name: "n", IP: "2001:db8::1"}, "--node-ip"},
		"a sysctl of the whole machine": {Options{Name: "n", UnsafeSysctls: []string{"kernel.shm*", "vm.swappiness"}}, "--allowed-unsafe-sysctls"},
		"a relative cgroup":             {Options{Name: "n", CgroupRoot: "pods"}, "--cgroup-root"},
		"volumes in the root":           {Options{Name: "n", LocalStorageDir: "/."}, "--local-storage-dir"},
		"a port too high":               {Options{Name: "n", KubeletPort: 65536}, "--kubelet-port"},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.o
			err := o.Complete()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
			if err == nil && (!filepath.IsAbs(o.DataDir) || o.KubeletPort != 10250 || o.CgroupRoot != "/") {
				t.Errorf("completed to %+v", o)
			}
		})
	}
}
