import { createContext, useContext } from 'react';
import type { Assistant } from './Assistants';

/** The assistant that answers in what is shown, as far as that is known. */
export const AnsweringContext = createContext<Assistant | undefined>(undefined);

export const useAnswering = (): Assistant | undefined => useContext(AnsweringContext);
