package runtime

import (
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// ContainerInput is what a container's configuration is made of.
type ContainerInput struct {
	Pod          *corev1.Pod
	Container    *corev1.Container
	RestartCount int
	ImageRef     string
	// Command and Args have their variables expanded already.
	Command, Args []string
	Env           []*runtimeapi.KeyValue
	Mounts        []*runtimeapi.Mount
	Devices       []*runtimeapi.Device
	Resources     *runtimeapi.LinuxContainerResources
	// TargetID is the container whose process namespace an ephemeral container joins.
	TargetID           string
	SupplementalGroups []int64
	// ImageUID and ImageUsername are the image's own user; at most one is set.
	ImageUID      *int64
	ImageUsername string
	SeccompRoot   string
	UserNS        *runtimeapi.UserNamespace
}

// ContainerConfig renders the runtime's configuration of one container instance.
func ContainerConfig(in ContainerInput) *runtimeapi.ContainerConfig {
	c := in.Container
	if in.UserNS != nil {
		for _, m := range in.Mounts {
			m.UidMappings, m.GidMappings = in.UserNS.Uids, in.UserNS.Gids
		}
	}
	return &runtimeapi.ContainerConfig{
		Metadata:    &runtimeapi.ContainerMetadata{Name: c.Name, Attempt: uint32(in.RestartCount)},
		Image:       &runtimeapi.ImageSpec{Image: in.ImageRef, UserSpecifiedImage: c.Image},
		Command:     in.Command,
		Args:        in.Args,
		WorkingDir:  c.WorkingDir,
		Envs:        in.Env,
		Mounts:      in.Mounts,
		Devices:     in.Devices,
		Labels:      containerLabels(in.Pod, c),
		Annotations: containerAnnotations(in.Pod, c, in.RestartCount),
		LogPath:     LogFile(c.Name, in.RestartCount),
		Stdin:       c.Stdin,
		StdinOnce:   c.StdinOnce,
		Tty:         c.TTY,
		StopSignal:  stopSignal(c),
		Linux: &runtimeapi.LinuxContainerConfig{
			Resources:       in.Resources,
			SecurityContext: containerSecurity(in),
		},
	}
}

// LogFile is a container's log, relative to its Pod's log directory.
func LogFile(container string, restartCount int) string {
	return filepath.Join(container, fmt.Sprintf("%d.log", restartCount))
}

// PodLogDir is the directory of a Pod's logs below root.
func PodLogDir(root string, pod *corev1.Pod) string {
	return filepath.Join(root, pod.Namespace+"_"+pod.Name+"_"+string(pod.UID))
}

func stopSignal(c *corev1.Container) runtimeapi.Signal {
	if c.Lifecycle == nil || c.Lifecycle.StopSignal == nil {
		return runtimeapi.Signal_SIGNAL_RUNTIME_DEFAULT
	}
	return runtimeapi.Signal(runtimeapi.Signal_value[signalName(string(*c.Lifecycle.StopSignal))])
}

// signalPrefix is what the CRI's names of signals begin with.
const signalPrefix = "SIGNAL_"

// signalName maps the API's names of signals (SIGHUP, SIGRTMIN+1) to the CRI's (SIGNAL_SIGHUP, SIGNAL_SIGRTMINPLUS1).
func signalName(api string) string {
	name := make([]byte, 0, len(signalPrefix)+len(api)+4)
	name = append(name, signalPrefix...)
	for i := range len(api) {
		switch api[i] {
		case '+':
			name = append(name, "PLUS"...)
		case '-':
			name = append(name, "MINUS"...)
		default:
			name = append(name, api[i])
		}
	}
	return string(name)
}

// StopSignalName is the API's name of the signal that the runtime reports, nil where it reports none.
func StopSignalName(s runtimeapi.Signal) *corev1.Signal {
	if s == runtimeapi.Signal_SIGNAL_RUNTIME_DEFAULT {
		return nil
	}
	name := strings.TrimPrefix(s.String(), signalPrefix)
	for _, pair := range [][2]string{{"PLUS", "+"}, {"MINUS", "-"}} {
		if at := len("SIGRTMIN"); len(name) > at+len(pair[0]) && name[at:at+len(pair[0])] == pair[0] {
			name = name[:at] + pair[1] + name[at+len(pair[0]):]
		}
	}
	signal := corev1.Signal(name)
	return &signal
}
