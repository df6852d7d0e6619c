package serviceaccount

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// checkSecrets reports Secrets that the Pod uses and its account does not list. Of a running Pod only the ephemeral
// containers are looked at.
func checkSecrets(account *corev1.ServiceAccount, pod *corev1.Pod, onlyEphemeral bool) error {
	listed := func(name string) bool {
		return slices.ContainsFunc(account.Secrets, func(ref corev1.ObjectReference) bool { return ref.Name == name })
	}
	if onlyEphemeral {
		for i := range pod.Spec.EphemeralContainers {
			c := (*corev1.Container)(&pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
			if err := checkContainer("ephemeral container", c, account, listed); err != nil {
				return err
			}
		}
		return nil
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil && !listed(v.Secret.SecretName) {
			return fmt.Errorf("volume with secret.secretName=%q is not allowed because service account %s does not reference that secret", v.Secret.SecretName, account.Name)
		}
	}
	for i := range pod.Spec.InitContainers {
		if err := checkContainer("init container", &pod.Spec.InitContainers[i], account, listed); err != nil {
			return err
		}
	}
	for i := range pod.Spec.Containers {
		if err := checkContainer("container", &pod.Spec.Containers[i], account, listed); err != nil {
			return err
		}
	}
	for i, ref := range pod.Spec.ImagePullSecrets {
		if !slices.Contains(account.ImagePullSecrets, ref) {
			return fmt.Errorf("imagePullSecrets[%d].name=%q is not allowed because service account %s does not reference that imagePullSecret", i, ref.Name, account.Name)
		}
	}
	return nil
}

func checkContainer(kind string, c *corev1.Container, account *corev1.ServiceAccount, listed func(string) bool) error {
	const because = "is not allowed because service account %s does not reference that secret"
	for _, env := range c.Env {
		if env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
			continue
		}
		if name := env.ValueFrom.SecretKeyRef.Name; !listed(name) {
			return fmt.Errorf("%s %s with envVar %s referencing secret.secretName=%q "+because, kind, c.Name, env.Name, name, account.Name)
		}
	}
	for _, from := range c.EnvFrom {
		if from.SecretRef != nil && !listed(from.SecretRef.Name) {
			return fmt.Errorf("%s %s with envFrom referencing secret.secretName=%q "+because, kind, c.Name, from.SecretRef.Name, account.Name)
		}
	}
	return nil
}
