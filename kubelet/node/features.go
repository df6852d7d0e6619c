package node

// declared are the features of this kubelet that Kubernetes lets nodes differ in, by which Pods are placed and their updates
// admitted. Sorted, as the API demands. Not here: InPlacePodLevelResourcesVerticalScaling (a Pod's own resources cannot change),
// ExtendWebSocketsToKubelet and UserNamespacesHostNetworkSupport. See KEP-5328.
var declared = []string{"InPlacePodVerticalScalingInitContainers", "RestartAllContainersOnContainerExits"}
