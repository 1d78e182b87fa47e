export { createChatTransport, type CauserieChatTransport, type CauserieChatTransportOptions } from './transport.js';
export { toUIMessage, type CauserieMetadata } from './messages.js';
